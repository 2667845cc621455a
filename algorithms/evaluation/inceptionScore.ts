/**
 * Inception score of N rows of class probabilities p(y | x) (Salimans et al. 2016):
 *
 *   exp( 1/N sum_x KL( p(y | x) || p(y) ) ),   p(y) = 1/N sum_x p(y | x)
 *
 * In [1, classes]: 1 when every image gets the same answer, `classes` when answers are certain and evenly spread. 0 ln 0 = 0.
 * The mean over `splits` consecutive parts of equal size (a remainder is left out); the publication takes 10 of 5,000.
 * Throws RangeError when rows or splits do not come out, or a row is no distribution.
 * Deviations: the probabilities of any classifier, not only of InceptionV3's.
 */
export const inceptionScore = (probabilities: ArrayLike<number>, classes: number, { splits = 1 } = {}): number => {
  const rows = probabilities.length / classes
  if (!(Number.isInteger(rows) && Number.isInteger(splits) && splits >= 1 && rows >= splits)) {
    throw new RangeError(
      `inceptionScore: needs whole rows of ${classes} probabilities and 1..rows splits, got ${probabilities.length} values and ${splits} splits; give one row per image`,
    )
  }
  for (let row = 0; row < rows; row++) assertDistribution(probabilities, row, classes)
  const size = Math.floor(rows / splits)
  let total = 0
  for (let split = 0; split < splits; split++) total += scoreOf(probabilities, classes, { first: split * size, size })
  return total / splits
}

/** KL(p(y|x) || p(y)) averaged is the entropy of p(y) less the mean entropy of p(y|x). */
const scoreOf = (p: ArrayLike<number>, classes: number, { first, size }: { first: number; size: number }): number => {
  const marginal = new Float64Array(classes)
  let conditionalEntropy = 0
  for (let i = first * classes; i < (first + size) * classes; i++) {
    marginal[i % classes]! += p[i]! / size
    conditionalEntropy += surprise(p[i]!) / size
  }
  const marginalEntropy = marginal.reduce((sum, value) => sum + surprise(value), 0)
  return Math.exp(Math.max(0, marginalEntropy - conditionalEntropy))
}

const surprise = (p: number): number => (p > 0 ? -p * Math.log(p) : 0)

const assertDistribution = (p: ArrayLike<number>, row: number, classes: number): void => {
  let sum = 0
  for (let c = 0; c < classes; c++) {
    const value = p[row * classes + c]!
    if (!(value >= 0)) throw new RangeError(`inceptionScore: row ${row} has the probability ${value}; apply softmax to the logits`)
    sum += value
  }
  if (!(Math.abs(sum - 1) < 1e-4)) throw new RangeError(`inceptionScore: row ${row} sums to ${sum}, not 1; apply softmax to the logits`)
}
