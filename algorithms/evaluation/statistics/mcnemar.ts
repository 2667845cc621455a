/** The images on which exactly one of two paired defences was right. */
export interface DiscordantPairs {
  readonly onlyFirst: number
  readonly onlySecond: number
}

export interface McNemar extends DiscordantPairs {
  /** Two-sided exact binomial p-value: never below its level, hence conservative. */
  readonly exact: number
  /** Two-sided mid-p value: counts the observed table half; close to its level on average. */
  readonly midP: number
}

/** Counts the discordant pairs of two outcome lists over the same images in the same order. */
export const discordantPairs = (first: readonly boolean[], second: readonly boolean[]): DiscordantPairs => {
  if (first.length !== second.length) {
    throw new RangeError(
      `mcnemar: outcomes must be paired, got ${first.length} and ${second.length}; evaluate both defences on the same images`,
    )
  }
  const onlyFirst = first.filter((right, i) => right && !second[i]).length
  const onlySecond = second.filter((right, i) => right && !first[i]).length
  return { onlyFirst, onlySecond }
}

/**
 * McNemar's test that two paired defences have the same accuracy. Concordant pairs say nothing; under the hypothesis each
 * of the n = b + c discordant ones is a fair coin. With m = min(b, c) and X ~ Binomial(n, 1/2):
 *
 *   exact = min(1, 2 P(X <= m)),   midP = 2 P(X <= m) - P(X = m)
 *
 * Sources: McNemar, Psychometrika 12 (1947); Fagerland, Lydersen and Laake, BMC Medical Research Methodology 13 (2013), for mid-p.
 */
export const mcnemar = ({ onlyFirst, onlySecond }: DiscordantPairs): McNemar => {
  for (const count of [onlyFirst, onlySecond]) {
    if (!Number.isSafeInteger(count) || count < 0) {
      throw new RangeError(
        `mcnemar: counts must be non-negative integers, got ${onlyFirst} and ${onlySecond}; use discordantPairs(first, second)`,
      )
    }
  }
  const n = onlyFirst + onlySecond
  const m = Math.min(onlyFirst, onlySecond)
  // P(X = m) by logarithms, which do not underflow; the other terms by their ratios P(X = k-1) / P(X = k) = k / (n-k+1).
  let logPoint = -n * Math.LN2
  for (let k = 1; k <= m; k++) logPoint += Math.log((n - m + k) / k)
  const point = Math.exp(logPoint)
  let tail = point
  for (let k = m, term = point; k > 0 && term > 0; k--) {
    term *= k / (n - k + 1)
    tail += term
  }
  return { onlyFirst, onlySecond, exact: Math.min(1, 2 * tail), midP: Math.min(1, 2 * tail - point) }
}
