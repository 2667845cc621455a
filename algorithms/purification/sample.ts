import { full, type Tensor } from '../../core/index.ts'
import type { Draws } from '../randomness/draws.ts'
import { type Purifier, purify } from './purify.ts'

/**
 * Images from pure noise: the reverse process of a purifier from the last timestep T - 1 down to the clean image.
 *
 * @paper E3 (DDPM reverse step), E4 (DDIM step)
 *
 * A grey image is zero in the diffusion range, so purifying it from T - 1 starts at x_T = sqrt(1 - abar_T) eps: this is ancestral
 * sampling (Ho et al. 2020; deterministic given x_T with DDIM, Song et al. 2021), with the draws of `purify`.
 * Result: [draws.images.length, ...shape], pixels in [0,1]. Throws RangeError when the intervals do not begin at T - 1;
 * `paperTimesteps({ tStar: 1, steps })` does.
 * Deviations: x_T has the variance 1 - abar_T of the forward process instead of 1 (4e-5 less with the usual schedule).
 */
export const sample = (purifier: Purifier, shape: readonly number[], draws: Draws): Tensor => {
  const [last, first] = [purifier.schedule.timesteps - 1, purifier.intervals[0]?.t]
  if (first !== last) {
    throw new RangeError(
      `sample: the reverse process begins at t = ${first}, not at pure noise, t = ${last}; use paperTimesteps with tStar 1`,
    )
  }
  return purify(purifier, full([draws.images.length, ...shape], 0.5), draws)
}
