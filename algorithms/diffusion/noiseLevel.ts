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

/**
 * The timestep whose noise is nearest to `sigma` (deviation in pixels of [0,1]) in ratio.
 * Source: Carlini et al. 2023, "(Certified!!) Adversarial Robustness for Free", who solve sigma_t = sigma for t.
 * Throws RangeError when sigma lies beyond the noise of the first or the last timestep.
 */
export const timestepOfSigma = (schedule: Schedule, sigma: number): number => {
  const [least, most] = [pixelSigma(schedule, 0), pixelSigma(schedule, schedule.timesteps - 1)]
  if (!(sigma >= least && sigma <= most)) {
    throw new RangeError(
      `timestepOfSigma: sigma must be in [${least.toPrecision(3)}, ${most.toPrecision(3)}], the noise of the schedule, got ${sigma}; take one of 0.12, 0.25, 0.5, 1`,
    )
  }
  let nearest = 0
  let distance = Number.POSITIVE_INFINITY
  for (let t = 0; t < schedule.timesteps; t++) {
    const apart = Math.abs(Math.log(pixelSigma(schedule, t) / sigma))
    if (apart < distance) [nearest, distance] = [t, apart]
  }
  return nearest
}
