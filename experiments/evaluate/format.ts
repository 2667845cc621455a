import type { CleanAccuracy } from './evaluateClean.ts'
import type { PurifierOptions } from './purifier.ts'

const percent = (share: number): string => (100 * share).toFixed(2)
const grouped = (count: number): string => String(count).replace(/\B(?=(\d{3})+$)/g, ',')

/** Two lines: what was evaluated, and `accuracy 80.76 % (827 of 1,024), 95 % interval 78.23 to 83.06 %`. */
export const formatAccuracy = (
  { images, correct, accuracy }: CleanAccuracy,
  {
    arch,
    data,
    dataset,
    purifier,
  }: { readonly arch: string; readonly data: readonly string[]; readonly dataset: string; readonly purifier: PurifierOptions | null },
): string => {
  const where = data.length > 0 ? data.join(', ') : dataset
  const behind = purifier ? ` behind ${purifier.purify} (t* ${purifier.tStar}, ${purifier.steps} steps, ${purifier.purifier})` : ''
  const interval = `95 % interval ${percent(accuracy.low)} to ${percent(accuracy.high)} %`
  return `${arch}${behind} on ${where}\naccuracy ${percent(accuracy.estimate)} % (${grouped(correct)} of ${grouped(images)}), ${interval}\n`
}
