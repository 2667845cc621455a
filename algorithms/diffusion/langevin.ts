import type { Tensor } from '../../core/index.ts'
import { type VpSde, vpsdeBeta, vpsdeMarginal } from './vpsde.ts'

export interface LangevinOptions {
  readonly t: number
  /** epsilonTheta(x_t, t). */
  readonly epsilon: Tensor
  /** Standard normal noise. */
  readonly z: Tensor
  /** Signal-to-noise ratio r. Default 0.16. */
  readonly snr?: number
  /** Steps the unit of time is divided into, for the factor alpha. Default 1000. */
  readonly scales?: number
}

/** Euclidean norm of each image: [batch, 1, 1, 1]. */
const normOfImages = (x: Tensor): Tensor => x.square().sum([1, 2, 3], { keepDims: true }).sqrt()

/**
 * One Langevin step at time t, which moves x_t towards its own distribution (the corrector of Song et al. 2021, algorithm 5).
 *
 *   x' = x + delta score + sqrt(2 delta) z,  delta = 2 alpha (r ||z|| / ||score||)^2,  score = -epsilonTheta / std
 *
 * with norms per image, and alpha = 1 - beta / scales of the discrete process. xT, epsilon, z: [batch, channels, height,
 * width]. The gradient goes through the norm of the score too, as in the published attack. The step is not defined where
 * epsilonTheta is zero on a whole image.
 * Deviations: Song et al. average the norms over the batch; here, as in the published purifier, an image does not depend on
 * the others.
 */
export const langevinStep = (sde: VpSde, xT: Tensor, { t, epsilon, z, snr = 0.16, scales = 1000 }: LangevinOptions): Tensor => {
  const { std } = vpsdeMarginal(sde, t)
  if (!(std > 0 && snr > 0)) {
    throw new RangeError(`langevinStep: needs t > 0 and a ratio snr > 0, got ${t} and ${snr}; the published purifier uses snr 0.16`)
  }
  const index = Math.floor(t * (scales - 1))
  const alpha = 1 - vpsdeBeta(sde, index / (scales - 1)) / scales
  const ratio = normOfImages(z)
    .div(normOfImages(epsilon))
    .mul(snr * std)
  // sqrt(2 delta) is linear in the ratio, so no square root is differentiated but those of the norms.
  const delta = ratio.square().mul(2 * alpha)
  return xT.sub(epsilon.mul(delta.mul(1 / std))).add(z.mul(ratio.mul(2 * Math.sqrt(alpha))))
}
