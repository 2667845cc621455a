import { erf } from 'mathjs'

/** Statistics of a sample against its claimed law. Every bound is stated with its false-failure rate over the choice of key. */

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

/** Dvoretzky-Kiefer-Wolfowitz: the distance exceeds this with probability at most `rate`. */
export const ksBound = (n: number, rate: number): number => Math.sqrt(Math.log(2 / rate) / (2 * n))

export const mean = (x: ArrayLike<number>): number => {
  let total = 0
  for (let i = 0; i < x.length; i++) total += x[i]!
  return total / x.length
}

/** Pearson's r; for independent samples |r| > 5 / sqrt(n) has probability 6e-7. */
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
