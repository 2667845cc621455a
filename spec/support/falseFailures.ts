import { normalQuantile } from '../../core/random/normalQuantile.ts'

/**
 * Every test whose outcome is drawn, and how often a correct implementation fails it: an upper bound of the probability over
 * the choice of its seed, for all its checks together. Tests take their bounds from here. One that runs on several backends
 * has one rate, as it draws the same there. What is not listed holds for every seed, or fails with a probability below 1e-12.
 */
export const falseFailures = {
  'uniform and normal law': 5e-8,
  'moments of the normal law': 5e-8,
  'correlation of keys and lags': 5e-8,
  'integers equally often': 2e-8,
  'orders equally often': 2e-8,
  'avalanche of threefry': 5e-8,
  'law of the forward noise (P53)': 2e-8,
  'correlation of named draws (P53)': 5e-8,
  'largest value anywhere (P10)': 2e-8,
  'marginal of RBGM (P13)': 2e-8,
  'order statistics of RBGM (P14)': 2e-8,
  'law of the mix (P24)': 2e-8,
  'covariance of the mix (P24)': 2e-8,
  'training times of the VPSDE': 1e-8,
  'training times of EDM': 1e-8,
  'slope of the EoT variance (P57)': 1e-8,
  'clean accuracy (P65)': 2e-8,
  'accuracy under the best attack (P65)': 5e-8,
  'accuracy of a coin (P65)': 5e-8,
  'no bias by selection (P66)': 2e-8,
  'published AutoAttack on a coin (P65)': 5e-8,
  'repaired AutoAttack on a coin (P66)': 5e-8,
  'fresh AutoAttack on a coin (P65)': 2e-8,
  'coverage of the mean interval (P66)': 5e-8,
  'flips of augmentation': 2e-8,
  'share of dropout': 2e-8,
  'initialisation of VGG': 2e-8,
} as const
export type DrawnTest = keyof typeof falseFailures

/** What is left of a test's rate for each of so many checks. */
export const rateOf = (test: DrawnTest, checks = 1): number => falseFailures[test] / checks

/** How many standard errors a normal estimate may be off, either way, in each of so many checks. */
export const standardErrors = (test: DrawnTest, checks = 1): number => -normalQuantile(rateOf(test, checks) / 2)

/** What chi-square may reach with so many degrees of freedom: k + 2 sqrt(k x) + 2 x is exceeded with probability e^-x at most (Laurent and Massart 2000). */
export const chiSquareBound = (test: DrawnTest, degrees: number): number => {
  const x = -Math.log(rateOf(test))
  return degrees + 2 * Math.sqrt(degrees * x) + 2 * x
}

/** Dvoretzky-Kiefer-Wolfowitz; also Hoeffding for a share of n: what the distance of an empirical distribution function of n values from its law exceeds with the test's rate at most. */
export const ksBound = (test: DrawnTest, n: number, checks = 1): number => Math.sqrt(Math.log(2 / rateOf(test, checks)) / (2 * n))
