import { erf } from 'mathjs'

/** Statistics of a sample against its claimed law. Their bounds are in spec/support/falseFailures.ts. */

/** Phi, by the error function of mathjs. */
export const normalCdf = (x: number): number => 0.5 * (1 + erf(x / Math.SQRT2))

/** Largest distance of the empirical distribution function from `cdf`. */
export const kolmogorovSmirnov = (sample: Float64Array, cdf: (x: number) => number): number => {
  const sorted = Float64Array.from(sample).sort()
  let distance = 0
  sorted.forEach((x, i) => {
    const p = cdf(x)
    distance = Math.max(distance, (i + 1) / sorted.length - p, p - i / sorted.length)
  })
  return distance
}

export const mean = (x: ArrayLike<number>): number => {
  let total = 0
  for (let i = 0; i < x.length; i++) total += x[i]!
  return total / x.length
}

/** Pearson's r; of independent samples it has a standard error of 1 / sqrt(n). */
export const correlation = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  const meanA = mean(a)
  const meanB = mean(b)
  let ab = 0
  let aa = 0
  let bb = 0
  for (let i = 0; i < a.length; i++) {
    ab += (a[i]! - meanA) * (b[i]! - meanB)
    aa += (a[i]! - meanA) ** 2
    bb += (b[i]! - meanB) ** 2
  }
  return ab / Math.sqrt(aa * bb)
}

/** Pearson's chi-square of counts against equal probabilities. */
export const chiSquareUniform = (counts: readonly number[]): number => {
  const expected = mean(counts)
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
}
