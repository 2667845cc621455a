import { ops, type Tensor } from '../../core/index.ts'

/** D(x; sigma): the expected clean image given x = image + sigma n, one sigma above 0 per image, with parameters fixed. */
export type Denoiser = (x: Tensor, sigma: readonly number[]) => Tensor

export interface KarrasOptions {
  /** Number of steps, one or more. */
  readonly steps: number
  readonly sigmaMin?: number
  readonly sigmaMax?: number
  readonly rho?: number
}

/**
 * Noise levels of Karras et al. (2022), evenly spaced in sigma^(1/rho), and then 0: sigma_i = (sigmaMax^(1/rho) +
 * i/(steps-1) (sigmaMin^(1/rho) - sigmaMax^(1/rho)))^rho for i < steps, sigma_steps = 0. The ends are exact; one step
 * leads from sigmaMax to 0. Throws RangeError unless 0 < sigmaMin < sigmaMax, rho > 0 and there is a step.
 */
export const karrasSigmas = ({ steps, sigmaMin = 0.002, sigmaMax = 80, rho = 7 }: KarrasOptions): number[] => {
  if (!(Number.isInteger(steps) && steps >= 1 && sigmaMin > 0 && sigmaMin < sigmaMax && sigmaMax < Infinity && rho > 0)) {
    throw new RangeError(
      `karrasSigmas: needs whole steps >= 1, 0 < sigmaMin < sigmaMax and rho > 0, got ${steps}, ${sigmaMin}, ${sigmaMax}, ${rho}; the usual are 18, 0.002, 80, 7`,
    )
  }
  const [high, low] = [sigmaMax ** (1 / rho), sigmaMin ** (1 / rho)]
  const inner = Array.from({ length: Math.max(0, steps - 2) }, (_, i) => (high + ((i + 1) / (steps - 1)) * (low - high)) ** rho)
  return [sigmaMax, ...inner, ...(steps > 1 ? [sigmaMin] : []), 0]
}

/** How much noise is added again before a step, and at which noise levels. */
export interface Churn {
  /** Total over all steps; 0 makes the sampler deterministic. */
  readonly sChurn: number
  /** Noise is added for sigma in [sMin, sMax] only. */
  readonly sMin?: number
  readonly sMax?: number
  /** Deviation of the added noise. */
  readonly sNoise?: number
}

/** The churn of the published EDM purifier. */
export const publishedChurn: Churn = { sChurn: 6, sMin: 0.01, sMax: 0.46, sNoise: 1.007 }

/** The noise level after churning at sigma, sigma (1 + min(sChurn / steps, sqrt 2 - 1)); sigma itself outside [sMin, sMax]. */
export const churnedSigma = (sigma: number, { sChurn, sMin = 0, sMax = Infinity }: Churn, steps: number): number => {
  if (!(sChurn >= 0 && sMin <= sMax)) {
    throw new RangeError(`churnedSigma: needs sChurn >= 0 and sMin <= sMax, got ${sChurn}, ${sMin}, ${sMax}; sChurn 0 is deterministic`)
  }
  return sigma >= sMin && sigma <= sMax ? sigma * (1 + Math.min(sChurn / steps, Math.SQRT2 - 1)) : sigma
}

export interface HeunStepOptions {
  readonly denoiser: Denoiser
  /** Noise level of x, above 0. */
  readonly sigma: number
  /** Noise level of the result, 0 or above; below sigma. */
  readonly next: number
  /** Noise level raised to before the step; default sigma, no noise. */
  readonly churned?: number
  readonly sNoise?: number
  /** Standard normal noise, asked for when `churned` is above sigma. */
  readonly z: () => Tensor
}

/**
 * One step of the sampler of Karras et al. (2022), algorithm 2.
 *
 * @paper E6 (EDM)
 *
 *   xHat  = x + sqrt(sigmaHat^2 - sigma^2) sNoise z
 *   d     = (xHat - D(xHat; sigmaHat)) / sigmaHat,   xNext = xHat + (next - sigmaHat) d
 *   d'    = (xNext - D(xNext; next)) / next,         xNext = xHat + (next - sigmaHat) (d + d') / 2   unless next = 0
 *
 * Euler's step along the probability flow dx/dsigma = d, made second-order by Heun's correction; the last step has none.
 * x: [batch, channels, height, width]. Throws RangeError unless 0 <= next < sigma <= churned.
 */
export const heunStep = (x: Tensor, { denoiser, sigma, next, churned = sigma, sNoise = 1, z }: HeunStepOptions): Tensor => {
  if (!(next >= 0 && next < sigma && sigma <= churned)) {
    throw new RangeError(`heunStep: needs 0 <= next < sigma <= churned, got ${next}, ${sigma}, ${churned}; take the levels of karrasSigmas`)
  }
  const batch = x.shape[0]!
  const direction = (at: Tensor, level: number): Tensor => {
    const denoised = denoiser(at, new Array<number>(batch).fill(level))
    return ops.addScaled(at, 1 / level, denoised, -1 / level)
  }
  const xHat = churned > sigma ? ops.addScaled(x, 1, z(), Math.sqrt(churned ** 2 - sigma ** 2) * sNoise) : x
  const d = direction(xHat, churned)
  const xNext = ops.addScaled(xHat, 1, d, next - churned)
  if (next === 0) return xNext
  const mean = ops.addScaled(d, 0.5, direction(xNext, next), 0.5)
  return ops.addScaled(xHat, 1, mean, next - churned)
}
