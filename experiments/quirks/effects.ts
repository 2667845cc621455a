import { type Paired, pairedComparison } from '../dwBox/summary.ts'
import type { Effect } from './findings.ts'
import type { QuirkResults } from './results.ts'

/** An effect with its numbers: the scripts' accuracy minus the paper's, on the same images and draws. */
export interface MeasuredEffect {
  readonly label: string
  readonly paired: Paired
  /** Share of images of the second arm whose outcome is not the same on every draw. */
  readonly undecided: number
}

/** The outcomes that count; undefined when the results have no such arm. */
const outcomesOf = (results: QuirkResults, { scripts, outcome = 'report' }: Effect): readonly string[] | undefined => {
  const arm = results.arms[scripts]
  if (outcome === 'selection') return arm?.selectionOutcomes
  return outcome === 'firstDraw' ? arm?.robustOutcomes.map(draws => draws[0]!) : arm?.robustOutcomes
}

/** The effect as measured; null when the results lack one of its arms. */
export const measuredEffect = (results: QuirkResults, effect: Effect): MeasuredEffect | null => {
  const paper = results.arms[effect.paper]
  const scripts = results.arms[effect.scripts]
  const robustOutcomes = outcomesOf(results, effect)
  if (!paper || !scripts || !robustOutcomes) return null
  const undecided = robustOutcomes.filter(draws => new Set(draws).size > 1).length / robustOutcomes.length
  return { label: effect.label, paired: pairedComparison(paper, { imageIds: scripts.imageIds, robustOutcomes }), undecided }
}
