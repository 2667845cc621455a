import type { Tensor } from '../../core/index.ts'
import type { Network, NoiseProcess } from './noiseProcess.ts'

/**
 * How far the network's prediction is from the noise that was put in.
 *
 * @paper E11 (ADDT loss)
 *
 *   || epsilonTheta(x'_t, t) - n ||^2,   x'_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) n
 *
 * For ADDT n is the mixed noise of E9, for clean (fine-)tuning plain noise: one loss for both. Of each image it equals
 * gamma_t^2 || x_0 - P(x'_t, t) ||^2. x0, n: [batch, channels, height, width], x0 in [-1,1]; t: one time per image; target: the
 * noise to be learnt, default n; a denoiser (EDM) learns x_0 whatever it is. Result a scalar. Throws RangeError on a time
 * beyond the process.
 * Deviations: the mean over all elements where the equation has the sum, so that the loss does not grow with image or batch.
 */
export const denoisingLoss = (
  process: NoiseProcess,
  x0: Tensor,
  o: { readonly n: Tensor; readonly t: readonly number[]; readonly network: Network; readonly target?: Tensor },
): Tensor => {
  const xT = process.noised(x0, o)
  return process.loss(o.network(xT, o.t), { x0, t: o.t, n: o.target ?? o.n })
}
