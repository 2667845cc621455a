import type { Schedule } from '../diffusion/schedule.ts'
import type { EpsilonModel } from '../models/types.ts'
import { edmDenoiser } from '../purification/discreteNetwork.ts'
import type { Denoiser } from './affineDenoiser.ts'

/**
 * A diffusion model as a denoiser of noise `sigma` (pixels of [0,1]): its one-step estimate at the noise level of sigma.
 *
 * @paper E2 (one-step estimate P)
 *
 *   xHat = (clip(P) + 1) / 2,   P = (2 y - 1) - 2 sigma epsilonTheta(sqrt(abar) (2 y - 1), tau),   abar = abar_tau = 1 / (1 + 4 sigma^2)
 *
 * Source: Carlini et al. 2023, "(Certified!!) Adversarial Robustness for Free", who certify classifiers behind it.
 * Throws RangeError unless sigma > 0.
 * Deviations: they take the nearest whole timestep, here tau is between two (see matchedTimestep.ts); clip to [-1,1], as in the purifier.
 */
export const oneStepDenoiser = (model: { readonly epsilonTheta: EpsilonModel; readonly schedule: Schedule }, sigma: number): Denoiser => {
  if (!(sigma > 0)) throw new RangeError(`oneStepDenoiser: needs noise sigma > 0, got ${sigma}; without noise there is nothing to denoise`)
  const denoiser = edmDenoiser(model)
  return noisy =>
    denoiser(noisy.mul(2).sub(1), new Array<number>(noisy.shape[0]!).fill(2 * sigma))
      .clamp(-1, 1)
      .add(1)
      .mul(0.5)
}
