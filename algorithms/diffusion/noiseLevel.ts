import { alphaCumprod, type Schedule } from './schedule.ts'

/**
 * The noise of timestep t seen from the image: x_t / sqrt(abar_t) = x_0 + noise of this deviation, in pixels of [0,1],
 *
 *   sigma_t = sqrt((1 - abar_t) / abar_t) / 2
 *
 * half of what it is in the diffusion range [-1,1]. Rises with t; 0.17 at t = 99 of the usual schedule.
 * Throws RangeError on a timestep beyond the schedule.
 */
export const pixelSigma = (schedule: Schedule, t: number): number => {
  const abar = alphaCumprod(schedule, t)
  return Math.sqrt((1 - abar) / abar) / 2
}
