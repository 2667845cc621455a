import { alphaCumprod, type Schedule } from './schedule.ts'

/** Strength of the adversarial part of the noise; the paper's values are 0.03, 0, 0.3. */
export interface Modulation {
  readonly lambdaUnit: number
  readonly lambdaMin: number
  readonly lambdaMax: number
}

export const paperModulation: Modulation = { lambdaUnit: 0.03, lambdaMin: 0, lambdaMax: 0.3 }

/**
 * Ratio of signal to noise in amplitude, gamma_t = sqrt(abar_t) / sqrt(1 - abar_t), strictly decreasing in t = 0 .. T-1.
 * Throws RangeError on a timestep beyond the schedule.
 */
export const gamma = (schedule: Schedule, t: number): number => {
  const abar = alphaCumprod(schedule, t)
  return Math.sqrt(abar) / Math.sqrt(1 - abar)
}

/** lambda_unit gamma within the bounds. Throws RangeError unless 0 <= min <= max <= 1 and unit >= 0. */
export const modulated = (ratio: number, { lambdaUnit, lambdaMin, lambdaMax }: Modulation = paperModulation): number => {
  if (!(lambdaUnit >= 0 && lambdaMin >= 0 && lambdaMin <= lambdaMax && lambdaMax <= 1)) {
    throw new RangeError(
      `lambda: needs lambdaUnit >= 0 and 0 <= lambdaMin <= lambdaMax <= 1, got ${lambdaUnit}, ${lambdaMin}, ${lambdaMax}; the paper uses 0.03, 0, 0.3`,
    )
  }
  return Math.min(Math.max(lambdaUnit * ratio, lambdaMin), lambdaMax)
}

/**
 * How much of the training noise at timestep t is adversarial.
 *
 * @paper E7 (modulation)
 *
 *   lambda_t = clip(lambda_unit gamma_t, lambda_min, lambda_max)
 *
 * In [lambdaMin, lambdaMax], non-increasing in t. Where it is not clipped, the perturbation that it puts into the image
 * has the same size lambda_unit (RMS, in [-1,1] units) at every t. Throws RangeError unless 0 <= min <= max <= 1, unit >= 0.
 */
export const lambda = (schedule: Schedule, t: number, modulation?: Modulation): number => modulated(gamma(schedule, t), modulation)
