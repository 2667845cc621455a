import type { Tensor } from '../../core/index.ts'
import { lambda, type Modulation, paperModulation } from '../diffusion/modulation.ts'
import { perImage, type Schedule } from '../diffusion/schedule.ts'

/**
 * The training noise of ADDT: Gaussian noise, partly replaced by the classifier-guided one.
 *
 * @paper E9 (mixed input)
 *
 *   n = sqrt(1 - lambda_t^2) eps + lambda_t eps_delta,   so that   x'_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) n
 *
 * Its variance is 1 when the two are independent. epsilon, epsilonDelta: [batch, channels, height, width]; t: one timestep
 * per image; result as epsilon. With lambda_t = 0 it is epsilon bit for bit. Throws RangeError on a timestep beyond the
 * schedule and as `lambda` does.
 */
export const mixNoise = (
  schedule: Schedule,
  epsilon: Tensor,
  o: { readonly epsilonDelta: Tensor; readonly t: readonly number[]; readonly modulation?: Modulation },
): Tensor => {
  const lambdas = o.t.map(t => lambda(schedule, t, o.modulation ?? paperModulation))
  const rest = lambdas.map(value => Math.sqrt(1 - value * value))
  return epsilon.mul(perImage(rest)).add(o.epsilonDelta.mul(perImage(lambdas)))
}
