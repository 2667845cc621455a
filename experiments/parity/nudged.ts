import { getBackend } from '../../core/index.ts'
import { type Comparison, judge } from './comparison.ts'

/** Added to every value of the input, in turn: about what rounding moves the values within a network. */
const NUDGES = [0, 1e-6, -1e-6, 3e-6, -3e-6]

/**
 * Compares a derivative of a function with kinks. Where a relu or a clip gets a value within rounding of its kink, float32
 * decides by chance which of two derivatives it takes, and a whole neighbourhood of the gradient changes by percents. Our
 * derivative then counts as the origin's if it is so at an input within rounding of the recorded one; the row says where.
 */
export const compareNudged = async (compare: (nudge: number) => Promise<Comparison[]>): Promise<Comparison[]> => {
  let atRecorded: Comparison[] | undefined
  for (const nudge of NUDGES) {
    const comparisons = await compare(nudge)
    if (comparisons.every(comparison => judge(comparison, getBackend().floatType).ok)) {
      return nudge === 0 ? comparisons : comparisons.map(row => ({ ...row, tensor: `${row.tensor} (input + ${nudge})` }))
    }
    atRecorded ??= comparisons
  }
  return atRecorded!
}
