import type { Tensor } from '../../core/index.ts'
import { perImage } from '../diffusion/schedule.ts'

/**
 * The training noise of ADDT: Gaussian noise, partly replaced by the classifier-guided one.
 *
 * @paper E9 (mixed input)
 *
 *   n = sqrt(1 - lambda_t^2) eps + lambda_t eps_delta,   so that   x'_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) n
 *
 * Its variance is 1 when the two are independent. epsilon, epsilonDelta: [batch, channels, height, width]; lambdas: lambda_t of
 * each image, in [0,1] (E7); result as epsilon. With lambda_t = 0 it is epsilon bit for bit.
 */
export const mixNoise = (
  epsilon: Tensor,
  { epsilonDelta, lambdas }: { readonly epsilonDelta: Tensor; readonly lambdas: readonly number[] },
): Tensor => {
  const rest = lambdas.map(value => Math.sqrt(1 - value * value))
  return epsilon.mul(perImage(rest)).add(epsilonDelta.mul(perImage(lambdas)))
}
