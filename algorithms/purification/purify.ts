import { checkpoint, type Tensor } from '../../core/index.ts'
import { type ClippedEpsilon, ddimStep } from '../diffusion/ddim.ts'
import { type DdpmVariance, ddpmStep } from '../diffusion/ddpm.ts'
import { qSample, type Schedule } from '../diffusion/schedule.ts'
import type { EpsilonModel } from '../models/types.ts'
import type { Draws } from '../randomness/draws.ts'
import { type ClampGradient, clampOf } from './clamp.ts'
import type { ReverseInterval } from './timesteps.ts'
import { dropoutOf } from './trainMode.ts'

/** The reverse process: stochastic DDPM, or DDIM with eta (0: deterministic). */
export type ReverseProcess =
  | { readonly kind: 'ddpm'; readonly variance: DdpmVariance }
  | { readonly kind: 'ddim'; readonly eta: number; readonly clippedEpsilon?: ClippedEpsilon }

/** A diffusion-based purifier: everything but the noise. */
export interface Purifier {
  readonly epsilonTheta: EpsilonModel
  readonly schedule: Schedule
  /** Reverse steps in order, the first t being where the forward process stops; see timesteps.ts. */
  readonly intervals: readonly ReverseInterval[]
  readonly reverse: ReverseProcess
  /** Whether P is clipped to [-1,1] at every step. Default true. */
  readonly clip?: boolean
  /** Derivative of the clamps, for attacks that see through saturated pixels. Default 'exact'. */
  readonly clampGradient?: ClampGradient
  /** Leave the network's dropout on; see `dropoutOf` (audit finding H1). Default false. */
  readonly trainMode?: boolean
  /** Recompute each step in the backward pass instead of storing its activations: same bits, less memory. Default false. */
  readonly checkpointing?: boolean
}

/**
 * Diffusion-based purification: noise the image to t*, then denoise it (Nie et al. 2022).
 *
 * @paper E1 (forward process), E3 (DDPM reverse step), E4 (DDIM step)
 *
 *   x_T = qSample(2 x - 1, t*),  then x_s from x_t for every interval,  result (x_0 + 1) / 2 clamped to [0,1]
 *
 * x: [batch, channels, height, width], pixels in [0,1]; result likewise. Draws `forward` once and, when the reverse process is
 * stochastic, `reverse` at every step but the last, by name (diffusionStep = index of the step). The gradient to x is exact:
 * through every step and, unless `clampGradient` says otherwise, every clamp. Throws RangeError when there are no steps, when they do not lead from one to the next
 * down to the clean image, and when `draws` is for another number of images.
 */
export const purify = (purifier: Purifier, x: Tensor, draws: Draws): Tensor => {
  const {
    epsilonTheta,
    schedule,
    intervals,
    reverse,
    clip = true,
    clampGradient = 'exact',
    trainMode = false,
    checkpointing = false,
  } = purifier
  const shape = x.shape.slice(1)
  const clamp = clampOf(clampGradient)
  const start = firstOf(intervals)
  if (draws.images.length !== x.shape[0]) {
    throw new RangeError(`purify: ${x.shape[0]} images but draws for ${draws.images.length}; give draws.forImages(ids) one id per image`)
  }

  const x0 = x.mul(2).sub(1)
  let xT = qSample(schedule, x0, { t: start.t, epsilon: draws.normal('forward', shape) })

  intervals.forEach(({ t, s }, diffusionStep) => {
    const step = (current: Tensor): Tensor => {
      const times = new Array<number>(current.shape[0]!).fill(t)
      const epsilon = epsilonTheta(current, times, trainMode ? dropoutOf(draws, { diffusionStep }) : {})
      const z = (): Tensor => draws.normal('reverse', shape, { diffusionStep })
      return reverse.kind === 'ddpm'
        ? ddpmStep(schedule, current, { t, s, clip, clamp, variance: reverse.variance, epsilon, z })
        : ddimStep(schedule, current, { t, s, clip, clamp, eta: reverse.eta, clippedEpsilon: reverse.clippedEpsilon, epsilon, z })
    }
    xT = checkpointing ? checkpoint(step)(xT) : step(xT)
  })
  return clamp(xT.add(1).mul(0.5), 0, 1)
}

/** The first of a chain of steps that ends at the clean image. A gap would pass off one noise level as another. */
const firstOf = (intervals: readonly ReverseInterval[]): ReverseInterval => {
  const remedy = 'make the intervals with paperTimesteps or faithfulTimesteps'
  const [first] = intervals
  if (!first) throw new RangeError(`purify: the purifier has no reverse steps; ${remedy}`)
  intervals.forEach(({ s }, k) => {
    const next = intervals[k + 1]
    if (next ? next.t !== s : s >= 0) {
      throw new RangeError(
        `purify: step ${k} ends at s = ${s}, but ${next ? `the next starts at t = ${next.t}` : 'the last must end at s < 0'}; ${remedy}`,
      )
    }
  })
  return first
}
