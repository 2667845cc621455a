import { roundHalfToEven } from './timesteps.ts'

/** One reverse step of a VPSDE purifier: at time t, of length dt. */
export interface VpsdeInterval {
  readonly t: number
  readonly dt: number
}

const inRange = (operation: string, tStar: number, steps: number): void => {
  if (!(tStar > 0 && tStar <= 1 && Number.isInteger(steps) && steps >= 1)) {
    throw new RangeError(
      `${operation}: needs 0 < tStar <= 1 and a whole number of steps >= 1, got tStar ${tStar} and ${steps} steps; the paper uses tStar 0.1`,
    )
  }
}

/** The `paper` reading: exactly `steps` steps of equal length from t* down to 0. Throws RangeError unless 0 < tStar <= 1. */
export const paperVpsdeTimes = ({ tStar, steps }: { tStar: number; steps: number }): VpsdeInterval[] => {
  inRange('paperVpsdeTimes', tStar, steps)
  return Array.from({ length: steps }, (_, k) => ({ t: tStar * (1 - k / steps), dt: tStar / steps }))
}

/** The published scripts go from time 1 to this and no further, whatever the number of steps. */
const LAST_TIME = 1e-3

/**
 * The `faithful` reading of the published scripts: N evenly spaced times from 1 to 1e-3, sliced from index
 * round((1 - t*) N) - 1 on, each followed by a step of length 1/N. With N = 1000 that is 101 steps from 0.101 to 0 (audit
 * finding M1); with fewer, the last step goes beyond time 0. (1 - t*) N is a floating-point product and rounding goes half
 * to even, both as in Python. Throws RangeError as above.
 */
export const faithfulVpsdeTimes = ({ tStar, inferenceSteps }: { tStar: number; inferenceSteps: number }): VpsdeInterval[] => {
  inRange('faithfulVpsdeTimes', tStar, inferenceSteps)
  const spacing = inferenceSteps > 1 ? (1 - LAST_TIME) / (inferenceSteps - 1) : 0
  const all = Array.from({ length: inferenceSteps }, (_, i) => ({ t: 1 - i * spacing, dt: 1 / inferenceSteps }))
  return all.slice(Math.max(0, roundHalfToEven((1 - tStar) * inferenceSteps) - 1))
}
