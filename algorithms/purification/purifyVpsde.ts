import { checkpoint, type Tensor } from '../../core/index.ts'
import { langevinStep } from '../diffusion/langevin.ts'
import { paperVpSde, type VpSde, vpsdeFlowStep, vpsdeReverseStep, vpsdeSample } from '../diffusion/vpsde.ts'
import type { EpsilonModel } from '../models/types.ts'
import type { Draws } from '../randomness/draws.ts'
import { type ClampGradient, clampOf } from './clamp.ts'
import { dropoutOf } from './trainMode.ts'
import type { VpsdeInterval } from './vpsdeTimes.ts'

/** The reverse process: the SDE, perhaps with a Langevin step before each step of it, or the deterministic probability flow. */
export type VpsdeReverse =
  | { readonly kind: 'sde'; readonly corrector?: { readonly snr: number; readonly scales?: number } }
  | { readonly kind: 'flow' }

/** A purifier in continuous time: everything but the noise. */
export interface VpsdePurifier {
  /** Called with the label t * labelScale. */
  readonly epsilonTheta: EpsilonModel
  /** Default `paperVpSde`. */
  readonly sde?: VpSde
  /** Reverse steps in order, the first t being where the forward process stops; see vpsdeTimes.ts. */
  readonly intervals: readonly VpsdeInterval[]
  readonly reverse: VpsdeReverse
  /** What the network is told of time 1. Default 999, as it was trained with; the published scripts take N - 1. */
  readonly labelScale?: number
  /** Whether the result is clamped to [0,1]. Default true; the published attacks do not (audit finding H2). */
  readonly clamp?: boolean
  /** Derivative of that clamp, for attacks that see through saturated pixels. Default 'exact'. */
  readonly clampGradient?: ClampGradient
  /** Leave the network's dropout on, as the published attacks and locks do (audit finding H1). Default false. */
  readonly trainMode?: boolean
  /** Recompute each step in the backward pass instead of storing its activations: same bits, less memory. Default false. */
  readonly checkpointing?: boolean
}

/** Evaluations of the network for one purification. */
export const vpsdeEvaluations = ({ intervals, reverse }: Pick<VpsdePurifier, 'intervals' | 'reverse'>): number =>
  intervals.length * (reverse.kind === 'sde' && reverse.corrector ? 2 : 1)

/**
 * Diffusion-based purification with the VP SDE (Nie et al. 2022, DiffPure; here discretised by Euler-Maruyama).
 *
 * @paper E5 (VPSDE)
 *
 *   x_{t*} = mean(t*) (2 x - 1) + std(t*) n,  then one reverse step per interval,  result (x_mean + 1) / 2
 *
 * x: [batch, channels, height, width], pixels in [0,1]; result likewise. Draws `forward` once; with the SDE `reverse` at every
 * step but the last, which returns its mean, and with a corrector `reverse` with part `corrector` at every step (diffusionStep
 * = index of the step). The gradient to x is exact. Throws RangeError when there are no steps or they do not go back in time,
 * and when `draws` is for another number of images.
 * Deviations: one purifier for clean, attacked and locked images; the published scripts measure three (audit finding H2):
 * without corrector and with clamp on clean images, with corrector in the white-box attack, without either under locks.
 */
export const purifyVpsde = (purifier: VpsdePurifier, x: Tensor, draws: Draws): Tensor => {
  let xT = vpsdeNoised(purifier, x, draws)
  purifier.intervals.forEach((_, diffusionStep) => {
    const step = (given: Tensor): Tensor => vpsdeStep(purifier, given, { diffusionStep, draws })
    xT = purifier.checkpointing ? checkpoint(step)(xT) : step(xT)
  })
  return vpsdeImage(purifier, xT)
}

/** The start of purification: x_{t*} of images with pixels in [0,1]. */
export const vpsdeNoised = ({ sde = paperVpSde, intervals }: VpsdePurifier, x: Tensor, draws: Draws): Tensor => {
  const start = firstOf(intervals)
  if (draws.images.length !== x.shape[0]) {
    throw new RangeError(
      `purifyVpsde: ${x.shape[0]} images but draws for ${draws.images.length}; give draws.forImages(ids) one id per image`,
    )
  }
  return vpsdeSample(sde, x.mul(2).sub(1), { t: start.t, epsilon: draws.normal('forward', x.shape.slice(1)) })
}

/** One step of it, with its corrector and its noise. */
export const vpsdeStep = (
  purifier: VpsdePurifier,
  given: Tensor,
  { diffusionStep, draws }: { readonly diffusionStep: number; readonly draws: Draws },
): Tensor => {
  const { epsilonTheta, sde = paperVpSde, intervals, reverse, labelScale = 999, trainMode = false } = purifier
  const interval = intervals[diffusionStep]!
  const shape = given.shape.slice(1)
  const epsilonOf = (current: Tensor, part = ''): Tensor => {
    const labels = new Array<number>(current.shape[0]!).fill(interval.t * labelScale)
    return epsilonTheta(current, labels, trainMode ? dropoutOf(draws, { diffusionStep, part }) : {})
  }
  const corrected = (current: Tensor): Tensor => {
    if (reverse.kind !== 'sde' || !reverse.corrector) return current
    const z = draws.normal('reverse', shape, { diffusionStep, part: 'corrector' })
    return langevinStep(sde, current, { t: interval.t, epsilon: epsilonOf(current, 'corrector'), z, ...reverse.corrector })
  }
  const current = corrected(given)
  const epsilon = epsilonOf(current)
  if (reverse.kind === 'flow') return vpsdeFlowStep(sde, current, { ...interval, epsilon })
  const z = (): Tensor => draws.normal('reverse', shape, { diffusionStep })
  const { xMean, x: noisy } = vpsdeReverseStep(sde, current, { ...interval, epsilon, z })
  return diffusionStep === intervals.length - 1 ? xMean : noisy()
}

/** The end of it: pixels of the last x_mean. */
export const vpsdeImage = ({ clamp = true, clampGradient = 'exact' }: VpsdePurifier, x0: Tensor): Tensor => {
  const image = x0.add(1).mul(0.5)
  return clamp ? clampOf(clampGradient)(image, 0, 1) : image
}

const firstOf = (intervals: readonly VpsdeInterval[]): VpsdeInterval => {
  const remedy = 'make the intervals with paperVpsdeTimes or faithfulVpsdeTimes'
  const [first] = intervals
  if (!first) throw new RangeError(`purifyVpsde: the purifier has no reverse steps; ${remedy}`)
  intervals.forEach(({ t }, k) => {
    const next = intervals[k + 1]
    if (next && next.t >= t)
      throw new RangeError(`purifyVpsde: step ${k} is at time ${t}, but the next at ${next.t}, not earlier; ${remedy}`)
  })
  return first
}
