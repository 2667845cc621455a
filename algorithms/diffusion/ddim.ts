import { ops, type Tensor } from '../../core/index.ts'
import type { ReverseStepOptions } from './ddpm.ts'
import { alphaCumprod, predictXStartFromEpsilon, type Schedule } from './schedule.ts'

/** The noise that a DDIM step goes on with where P was clipped: as the network predicted it, or as clip(P) implies it. */
export type ClippedEpsilon = 'predicted' | 'rederived'

/** sigma of a DDIM step: eta times the fixedSmall deviation of the DDPM step, so eta = 1 is DDPM and eta = 0 is deterministic. */
export const ddimSigma = (schedule: Schedule, { t, s, eta }: { readonly t: number; readonly s: number; readonly eta: number }): number => {
  const abarT = alphaCumprod(schedule, t)
  const abarS = alphaCumprod(schedule, s)
  return eta * Math.sqrt((1 - abarS) / (1 - abarT)) * Math.sqrt(1 - abarT / abarS)
}

/**
 * One step of the implicit process of Song et al. (2021).
 *
 * @paper E4 (DDIM step)
 *
 *   x_s = sqrt(abar_s) clip(P) + sqrt(1 - abar_s - sigma^2) epsilonTheta + sigma z
 *
 * With eta = 0 (the paper's) no z is drawn and the purifier's only noise is the forward one. The last step (s < 0)
 * returns clip(P). xT, epsilon, z(): [batch, channels, height, width], diffusion range [-1,1]. Throws RangeError when
 * s >= t or eta is outside [0, 1].
 * Deviations: when P is clipped, epsilonTheta is left as predicted, as in the published scripts (audit finding M2), so that x_s leaves the
 * DDIM trajectory; `clippedEpsilon: 'rederived'` puts (x_t - sqrt(abar_t) clip(P)) / sqrt(1 - abar_t) in its place.
 */
export const ddimStep = (
  schedule: Schedule,
  xT: Tensor,
  {
    t,
    s,
    clip = true,
    clamp = ops.clamp,
    eta = 0,
    clippedEpsilon = 'predicted',
    epsilon,
    z,
  }: ReverseStepOptions & { eta?: number; clippedEpsilon?: ClippedEpsilon | undefined; epsilon: Tensor; z: () => Tensor },
): Tensor => {
  if (!(s < t)) throw new RangeError(`ddim: a reverse step goes from t to an earlier s, got t = ${t} and s = ${s}; exchange them`)
  if (!(eta >= 0 && eta <= 1)) throw new RangeError(`ddim: eta must be in [0, 1], got ${eta}; 0 is deterministic, 1 is DDPM`)
  const p = predictXStartFromEpsilon(schedule, xT, { t, epsilon })
  const xStart = clip ? clamp(p, -1, 1) : p
  if (s < 0) return xStart
  const [abarT, abarS] = [alphaCumprod(schedule, t), alphaCumprod(schedule, s)]
  const sigma = ddimSigma(schedule, { t, s, eta })
  const rederived = clip && clippedEpsilon === 'rederived'
  const noise = rederived ? ops.addScaled(xT, 1 / Math.sqrt(1 - abarT), xStart, -Math.sqrt(abarT / (1 - abarT))) : epsilon
  const direction = ops.addScaled(xStart, Math.sqrt(abarS), noise, Math.sqrt(Math.max(0, 1 - abarS - sigma ** 2)))
  return sigma === 0 ? direction : ops.addScaled(direction, 1, z(), sigma)
}
