import { ops, type Tensor, tensor } from '../../core/index.ts'

/**
 * The discrete noise schedule of Ho et al. (2020), in float64.
 * `alphasCumprod[t]` (abar_t) = prod_{i<=t} (1 - betas[i]), strictly decreasing in (0, 1), for t = 0 .. T-1.
 */
export interface Schedule {
  /** Number of diffusion timesteps T. */
  readonly timesteps: number
  readonly betas: Float64Array
  readonly alphasCumprod: Float64Array
}

export interface LinearScheduleOptions {
  readonly timesteps?: number
  readonly betaStart?: number
  readonly betaEnd?: number
}

/** Betas evenly spaced from `betaStart` to `betaEnd`. Throws RangeError unless 0 < betaStart <= betaEnd < 1. */
export const linearSchedule = ({ timesteps = 1000, betaStart = 1e-4, betaEnd = 0.02 }: LinearScheduleOptions = {}): Schedule => {
  if (!(Number.isInteger(timesteps) && timesteps > 1 && betaStart > 0 && betaStart <= betaEnd && betaEnd < 1)) {
    throw new RangeError(
      `linearSchedule: needs an integer number of timesteps > 1 and 0 < betaStart <= betaEnd < 1, got ${timesteps}, ${betaStart}, ${betaEnd}; the usual values are 1000, 1e-4, 0.02`,
    )
  }
  const betas = Float64Array.from({ length: timesteps }, (_, t) => betaStart + ((betaEnd - betaStart) * t) / (timesteps - 1))
  const alphasCumprod = new Float64Array(timesteps)
  let product = 1
  betas.forEach((beta, t) => {
    product *= 1 - beta
    alphasCumprod[t] = product
  })
  return { timesteps, betas, alphasCumprod }
}

/** abar_t, with abar_t = 1 for t < 0: the image before any noise. Throws RangeError beyond the schedule. */
export const alphaCumprod = ({ alphasCumprod, timesteps }: Schedule, t: number): number => {
  if (!Number.isInteger(t) || t >= timesteps) {
    throw new RangeError(
      `schedule: timestep ${t} is not an integer below ${timesteps}; timesteps are 0..${timesteps - 1}, negative means no noise`,
    )
  }
  return t < 0 ? 1 : alphasCumprod[t]!
}

const assertOnePerImage = (operation: string, images: Tensor, t: readonly number[]): void => {
  if (t.length !== images.shape[0]) {
    throw new RangeError(
      `${operation}: ${images.shape[0]} images need as many timesteps, got ${t.length}; give one per image or a single number`,
    )
  }
}

/** One value per image as a tensor that broadcasts over channels, height and width: [batch, 1, 1, 1]. */
export const perImage = (values: ArrayLike<number>): Tensor => tensor(values, [values.length, 1, 1, 1])

/**
 * The forward process: a noisy image at timestep t.
 *
 * @paper E1 (forward process)
 *
 *   x_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) eps
 *
 * x0, epsilon: [batch, channels, height, width], x0 in [-1,1]; t: one timestep for all images, or one each. Throws RangeError
 * on a timestep beyond the schedule or another number of timesteps.
 */
export const qSample = (
  schedule: Schedule,
  x0: Tensor,
  o: { readonly t: number | readonly number[]; readonly epsilon: Tensor },
): Tensor => {
  if (typeof o.t === 'number') {
    const abar = alphaCumprod(schedule, o.t)
    return ops.addScaled(x0, Math.sqrt(abar), o.epsilon, Math.sqrt(1 - abar))
  }
  assertOnePerImage('qSample', x0, o.t)
  const abar = o.t.map(t => alphaCumprod(schedule, t))
  return x0.mul(perImage(abar.map(Math.sqrt))).add(o.epsilon.mul(perImage(abar.map(a => Math.sqrt(1 - a)))))
}

/**
 * The image a noise estimate implies.
 *
 * @paper E2 (one-step estimate P)
 *
 *   P(x_t, t) = (x_t - sqrt(1 - abar_t) epsilonTheta(x_t, t)) / sqrt(abar_t)
 *
 * Not clipped. xT, epsilon: [batch, channels, height, width], diffusion range [-1,1]; t and errors as in qSample.
 */
export const predictXStartFromEpsilon = (
  schedule: Schedule,
  xT: Tensor,
  o: { readonly t: number | readonly number[]; readonly epsilon: Tensor },
): Tensor => {
  if (typeof o.t === 'number') {
    const abar = alphaCumprod(schedule, o.t)
    return ops.addScaled(xT, 1 / Math.sqrt(abar), o.epsilon, -Math.sqrt(1 - abar) / Math.sqrt(abar))
  }
  assertOnePerImage('predictXStartFromEpsilon', xT, o.t)
  const abar = o.t.map(t => alphaCumprod(schedule, t))
  return xT.mul(perImage(abar.map(a => 1 / Math.sqrt(a)))).sub(o.epsilon.mul(perImage(abar.map(a => Math.sqrt((1 - a) / a)))))
}
