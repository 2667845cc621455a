import type { Tensor } from '../../core/index.ts'
import { qSample, type Schedule } from '../diffusion/schedule.ts'
import type { EpsilonModel } from '../models/types.ts'

/**
 * How far the predicted noise is from the noise that was put in.
 *
 * @paper E11 (ADDT loss)
 *
 *   || epsilonTheta(x'_t, t) - n ||^2,   x'_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) n
 *
 * For ADDT n is the mixed noise of E9, for clean (fine-)tuning plain noise: one loss for both. Of each image it equals
 * gamma_t^2 || x_0 - P(x'_t, t) ||^2. x0, n: [batch, channels, height, width], x0 in [-1,1]; t: one timestep per image; result
 * a scalar. Throws RangeError on a timestep beyond the schedule.
 * Deviations: the mean over all elements where the equation has the sum, so that the loss does not grow with image or batch.
 */
export const denoisingLoss = (
  schedule: Schedule,
  x0: Tensor,
  o: { readonly n: Tensor; readonly t: readonly number[]; readonly epsilonTheta: EpsilonModel },
): Tensor => {
  const xT = qSample(schedule, x0, { t: o.t, epsilon: o.n })
  return o.epsilonTheta(xT, o.t).sub(o.n).square().mean()
}
