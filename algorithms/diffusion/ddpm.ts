import { ops, type Tensor } from '../../core/index.ts'
import { alphaCumprod, predictXStartFromEpsilon, type Schedule } from './schedule.ts'

/** Which variance the reverse step adds: the upper (`fixedLarge`) or the lower bound (`fixedSmall`) of Ho et al. */
export type DdpmVariance = 'fixedLarge' | 'fixedSmall'

export interface ReverseStepOptions {
  /** From timestep t to the earlier s; s < 0 is the clean image. */
  readonly t: number
  readonly s: number
  /** Whether the image estimate P is clipped to [-1,1]. Default true. */
  readonly clip?: boolean
  /** What clips it; default the clamp with its own derivative. */
  readonly clamp?: (x: Tensor, low: number, high: number) => Tensor
}

/**
 * Coefficients of a reverse step from t to s: mean = ofXStart x_0 + ofXT x_t, and its variance. With `fixedSmall` they are
 * those of q(x_s | x_t, x_0). Throws RangeError unless s < t.
 */
export const ddpmPosterior = (
  schedule: Schedule,
  { t, s, variance }: { readonly t: number; readonly s: number; readonly variance: DdpmVariance },
) => {
  if (!(s < t)) throw new RangeError(`ddpm: a reverse step goes from t to an earlier s, got t = ${t} and s = ${s}; exchange them`)
  const abarT = alphaCumprod(schedule, t)
  const abarS = alphaCumprod(schedule, s)
  const b = 1 - abarT / abarS
  return {
    ofXStart: (Math.sqrt(abarS) * b) / (1 - abarT),
    ofXT: (Math.sqrt(abarT / abarS) * (1 - abarS)) / (1 - abarT),
    variance: variance === 'fixedLarge' ? b : ((1 - abarS) / (1 - abarT)) * b,
  }
}

/**
 * One stochastic reverse step.
 *
 * @paper E3 (DDPM reverse step)
 *
 *   b    = 1 - abar_t / abar_s
 *   mean = sqrt(abar_s) b / (1 - abar_t) clip(P) + sqrt(abar_t / abar_s) (1 - abar_s) / (1 - abar_t) x_t
 *   x_s  = mean + sqrt(variance) z,   variance: fixedLarge = b, fixedSmall = (1 - abar_s) / (1 - abar_t) b
 *
 * The last step (s < 0) returns clip(P) itself and does not ask for z.
 * xT, epsilon = epsilonTheta(x_t, t), z() ~ N(0, I): [batch, channels, height, width], diffusion range [-1,1].
 * Throws RangeError when s >= t or t is beyond the schedule.
 * Deviations: clip is a named option (audit finding M2: the published scripts always clip).
 */
export const ddpmStep = (
  schedule: Schedule,
  xT: Tensor,
  {
    t,
    s,
    clip = true,
    clamp = ops.clamp,
    variance = 'fixedLarge',
    epsilon,
    z,
  }: ReverseStepOptions & { variance?: DdpmVariance; epsilon: Tensor; z: () => Tensor },
): Tensor => {
  const p = predictXStartFromEpsilon(schedule, xT, { t, epsilon })
  const xStart = clip ? clamp(p, -1, 1) : p
  const posterior = ddpmPosterior(schedule, { t, s, variance })
  if (s < 0) return xStart
  const mean = ops.addScaled(xStart, posterior.ofXStart, xT, posterior.ofXT)
  return ops.addScaled(mean, 1, z(), Math.sqrt(posterior.variance))
}
