import type { Denoiser } from '../diffusion/edm.ts'
import { matchedTimestep } from '../diffusion/matchedTimestep.ts'
import { perImage, type Schedule } from '../diffusion/schedule.ts'
import { paperVpSde, type VpSde, vpsdeMarginal } from '../diffusion/vpsde.ts'
import type { EpsilonModel } from '../models/types.ts'

/** A network trained on the timesteps of a discrete schedule. */
export interface DiscreteNetwork {
  readonly epsilonTheta: EpsilonModel
  readonly schedule: Schedule
}

/**
 * epsilonTheta of the VP SDE made of a network for discrete timesteps: a purifier with `labelScale` 1 calls it with the time t in [0, 1],
 * and it asks the network at the real timestep of equal noise, abar(tau) = mean(t)^2.
 */
export const vpsdeEpsilon =
  ({ epsilonTheta, schedule }: DiscreteNetwork, sde: VpSde = paperVpSde): EpsilonModel =>
  (xT, t, o) =>
    epsilonTheta(
      xT,
      t.map(time => matchedTimestep(schedule, vpsdeMarginal(sde, time).mean ** 2)),
      o,
    )

/**
 * The denoiser of EDM made of a network for discrete timesteps (Karras et al. 2022, section 5, preconditioning of VP models).
 *
 *   D(x; sigma) = x - sigma epsilonTheta(x / sqrt(1 + sigma^2), tau),   abar(tau) = 1 / (1 + sigma^2)
 *
 * x = image + sigma n: [batch, channels, height, width]; sigma: one above 0 per image. Below the schedule's least noise level (0.01 for the
 * usual one) the network is asked at timestep 0, so sigmas should not go there before they end at 0.
 */
export const edmDenoiser =
  ({ epsilonTheta, schedule }: DiscreteNetwork): Denoiser =>
  (x, sigma) => {
    const timesteps = sigma.map(level => matchedTimestep(schedule, 1 / (1 + level ** 2)))
    const epsilon = epsilonTheta(x.mul(perImage(sigma.map(level => 1 / Math.sqrt(1 + level ** 2)))), timesteps)
    return x.sub(epsilon.mul(perImage(sigma)))
  }
