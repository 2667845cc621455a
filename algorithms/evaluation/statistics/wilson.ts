import { normalQuantile } from '../../../core/random/normalQuantile.ts'

/** An estimated proportion with its two-sided confidence interval, all in [0, 1]. */
export interface ProportionInterval {
  readonly estimate: number
  readonly low: number
  readonly high: number
}

/**
 * The two-sided standard normal critical value of a confidence level in (0, 1); 1.96 for 0.95.
 * Throws RangeError on any other level.
 */
export const criticalValue = (confidence: number): number => {
  if (!(confidence > 0 && confidence < 1)) {
    throw new RangeError(`criticalValue: confidence must lie in (0, 1), got ${confidence}; use 0.95 for a 95 % interval`)
  }
  return normalQuantile((1 + confidence) / 2)
}

/**
 * The Wilson score interval of an observed proportion p over n trials, where n may be an effective number of trials:
 *
 *   (p + z^2/2n  -+  z sqrt(p (1-p)/n + z^2/4n^2)) / (1 + z^2/n)
 *
 * Those true proportions that a score test at level 1 - confidence does not reject. It never leaves [0, 1] and has width
 * even at p = 0 and p = 1. Source: Wilson, Journal of the American Statistical Association 22 (1927).
 */
export const wilsonOfProportion = (estimate: number, trials: number, confidence = 0.95): ProportionInterval => {
  if (!(estimate >= 0 && estimate <= 1) || !(trials > 0)) {
    throw new RangeError(
      `wilson: needs a proportion in [0, 1] of a positive number of trials, got ${estimate} of ${trials}; check the counts`,
    )
  }
  const z2 = criticalValue(confidence) ** 2
  const centre = (estimate + z2 / (2 * trials)) / (1 + z2 / trials)
  const half = Math.sqrt((z2 * estimate * (1 - estimate)) / trials + (z2 / (2 * trials)) ** 2) / (1 + z2 / trials)
  return { estimate, low: estimate === 0 ? 0 : Math.max(0, centre - half), high: estimate === 1 ? 1 : Math.min(1, centre + half) }
}

/** The Wilson score interval of `successes` out of `trials`. Throws RangeError unless 0 <= successes <= trials are integers. */
export const wilson = (successes: number, trials: number, confidence = 0.95): ProportionInterval => {
  if (!Number.isInteger(successes) || !Number.isInteger(trials) || successes < 0 || trials < 1 || successes > trials) {
    throw new RangeError(
      `wilson: needs integers 0 <= successes <= trials and trials >= 1, got ${successes} of ${trials}; pass counts, not rates`,
    )
  }
  return wilsonOfProportion(successes / trials, trials, confidence)
}
