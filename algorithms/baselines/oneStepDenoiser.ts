import { timestepOfSigma } from '../diffusion/noiseLevel.ts'
import { alphaCumprod, predictXStartFromEpsilon, type Schedule } from '../diffusion/schedule.ts'
import type { EpsilonModel } from '../models/types.ts'
import type { Denoiser } from './affineDenoiser.ts'

/**
 * A diffusion model as a denoiser of noise `sigma` (pixels of [0,1]): its one-step estimate at the timestep of that noise.
 *
 * @paper E2 (one-step estimate P)
 *
 *   x_t = sqrt(abar_t) (2 y - 1),   xHat = (clip(P(x_t, t)) + 1) / 2
 *
 * Source: Carlini et al. 2023, who certify classifiers behind it. Throws RangeError when the schedule has no such noise.
 * Deviations: the noise level is that of the nearest timestep; clip to [-1,1], as in the purifier.
 */
export const oneStepDenoiser = (
  { epsilonTheta, schedule }: { readonly epsilonTheta: EpsilonModel; readonly schedule: Schedule },
  sigma: number,
): Denoiser => {
  const t = timestepOfSigma(schedule, sigma)
  const scale = Math.sqrt(alphaCumprod(schedule, t))
  return noisy => {
    const xT = noisy.mul(2 * scale).sub(scale)
    const epsilon = epsilonTheta(xT, new Array<number>(xT.shape[0]!).fill(t))
    return predictXStartFromEpsilon(schedule, xT, { t, epsilon }).clamp(-1, 1).add(1).mul(0.5)
  }
}
