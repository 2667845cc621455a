import type { ProportionInterval } from './wilson.ts'

/**
 * P(X >= k) for X ~ Binomial(n, p), as a function of p. Exact up to rounding (relative 1e-11 for n = 1e5): the tail that does not hold
 * the mode is summed from its largest term on, by the ratio of neighbours, after ln C(n, k) once.
 */
export const binomialUpperTail = (k: number, n: number): ((p: number) => number) => {
  const ofUpper = logBinomial(n, k)
  const ofLower = logBinomial(n, k - 1)
  return p => {
    if (k <= 0) return 1
    if (p <= 0) return 0
    if (p >= 1) return 1
    const [logP, logQ, odds] = [Math.log(p), Math.log1p(-p), p / (1 - p)]
    const sum = (first: number, logCoefficient: number, ratio: (i: number) => number, last: number, step: 1 | -1): number => {
      let term = Math.exp(logCoefficient + first * logP + (n - first) * logQ)
      let total = term
      for (let i = first; i !== last && term > total * 2 ** -60; i += step) {
        term *= ratio(i)
        total += term
      }
      return total
    }
    if (k > n * p) return sum(k, ofUpper, i => ((n - i) / (i + 1)) * odds, n, 1)
    return 1 - sum(k - 1, ofLower, i => i / (n - i + 1) / odds, 0, -1)
  }
}

const logBinomial = (n: number, k: number): number => {
  const m = Math.min(k, n - k)
  let total = 0
  for (let i = 1; i <= m; i++) total += Math.log((n - m + i) / i)
  return total
}

/**
 * The one-sided lower confidence bound of a proportion at level 1 - alpha: the p at which k or more successes still have
 * probability alpha, 0 for k = 0. The true proportion lies below it with probability at most alpha, for every n: no normal
 * approximation. Found by bisection down to neighbouring numbers, of which the smaller is returned.
 * Source: Clopper and Pearson, Biometrika 26 (1934). Throws RangeError unless 0 <= k <= n are integers, n >= 1, 0 < alpha < 1.
 */
export const clopperPearsonLower = (successes: number, trials: number, alpha: number): number => {
  const whole = Number.isInteger(successes) && Number.isInteger(trials)
  if (!(whole && successes >= 0 && trials >= 1 && successes <= trials && alpha > 0 && alpha < 1)) {
    throw new RangeError(
      `clopperPearson: needs integers 0 <= successes <= trials, trials >= 1, and 0 < alpha < 1, got ${successes} of ${trials} and ${alpha}; ` +
        'pass counts, and 0.001 for a confidence of 99.9 %',
    )
  }
  if (successes === 0) return 0
  const tail = binomialUpperTail(successes, trials)
  let [low, high] = [0, 1]
  for (;;) {
    const middle = (low + high) / 2
    if (middle <= low || middle >= high) return low
    if (tail(middle) <= alpha) low = middle
    else high = middle
  }
}

/** The two-sided exact interval: both bounds at half of 1 - confidence. Throws RangeError as above. */
export const clopperPearson = (successes: number, trials: number, confidence = 0.95): ProportionInterval => {
  const alpha = (1 - confidence) / 2
  return {
    estimate: successes / trials,
    low: clopperPearsonLower(successes, trials, alpha),
    high: 1 - clopperPearsonLower(trials - successes, trials, alpha),
  }
}
