import { meanLogits } from './look.ts'
import type { AttackProblem } from './problem.ts'

/**
 * The classes that a targeted attack aims at: the `count` wrong classes of largest mean logit at the clean image, the likeliest
 * first, or all wrong classes when there are fewer. Result: [target][image].
 * Throws RangeError when `count` is not a whole number >= 1.
 */
export const rankTargets = async (problem: AttackProblem, count: number): Promise<number[][]> => {
  if (!(Number.isInteger(count) && count >= 1)) {
    throw new RangeError(`targets: the number of target classes must be a whole number >= 1, got ${count}; 9 is usual`)
  }
  const logits = await meanLogits(problem, problem.images, 0)
  const classes = logits.length / problem.labels.length
  const ranked = problem.labels.map((label, i) => {
    const row = logits.subarray(i * classes, (i + 1) * classes)
    return Array.from(row.keys())
      .filter(c => c !== label)
      .sort((a, b) => row[b]! - row[a]!)
  })
  return Array.from({ length: Math.min(count, classes - 1) }, (_, k) => ranked.map(order => order[k]!))
}
