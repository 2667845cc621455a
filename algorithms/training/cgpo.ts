import { type Tensor, tidy, valueAndGrad, zeros } from '../../core/index.ts'
import { crossEntropy } from '../../core/nn/crossEntropy.ts'
import type { Modulation } from '../diffusion/modulation.ts'
import type { Classifier } from '../models/types.ts'
import type { Draws } from '../randomness/draws.ts'
import { mixNoise } from './mixNoise.ts'
import type { NoiseMapping } from './noiseMapping.ts'
import { lambdas, type Network, type NoiseProcess } from './noiseProcess.ts'
import { rbgm } from './rbgm.ts'

/** What the guide is shown: images in [-1,1], [batch, channels, height, width], one label and one training time each. */
export interface GuidedBatch {
  readonly x0: Tensor
  readonly labels: readonly number[]
  readonly t: readonly number[]
  readonly draws: Draws
}

export interface CgpoOptions {
  readonly process: NoiseProcess
  /** The diffusion model, its parameters frozen. */
  readonly network: Network
  /** The guide, frozen; takes pixels in [0,1]. */
  readonly classifier: Classifier
  readonly modulation?: Modulation
  /** Refinements of delta. The paper: 5. With 0 the result is plain noise: the random-order control. */
  readonly steps?: number
  /** Draws of eps whose gradients a refinement adds up. The paper: 1. */
  readonly eotSamples?: number
  /** RBGM in the paper. */
  readonly mapping?: NoiseMapping
  /** Whether delta sums the gradients of all refinements, as in the paper, or keeps only the last. */
  readonly accumulate?: boolean
  /**
   * What ranks equal deltas: draws of their own, or their position, as a stable sort does, which turns a constant delta into a raster-order
   * ramp (audit finding M8). Default random.
   */
  readonly ties?: 'random' | 'position'
  /** Called for each refinement and sample with what it saw. */
  readonly onStep?: (seen: CgpoStep, step: number, sample: number) => Promise<void> | void
}

export interface CgpoStep {
  /** The perturbation's noise before the refinement, and the noise it is mixed with, as x0. */
  readonly epsilonDelta: Tensor
  readonly epsilon: Tensor
  /** Classifier loss of each image before the refinement, [batch]. */
  readonly loss: Tensor
  /** d loss / d eps_delta, as x0. */
  readonly gradient: Tensor
  /** Sum of the gradients so far. */
  readonly delta: Tensor
}

/** The guide's loss on the one-step denoised mix, [batch]: CE(C(P(x'_t, t) / 2 + 0.5), y). */
export const guideLoss = (
  { x0, labels, t }: Omit<GuidedBatch, 'draws'>,
  { process, network, classifier }: Pick<CgpoOptions, 'process' | 'network' | 'classifier'>,
  n: Tensor,
): Tensor => {
  const xT = process.noised(x0, { t, n })
  const xHat = process.estimate(xT, { t, output: network(xT, t) })
  return crossEntropy(classifier(xHat.mul(0.5).add(0.5)), labels)
}

const assertCount = (name: string, value: number, least: number, paper: number): void => {
  if (!(Number.isInteger(value) && value >= least))
    throw new RangeError(`cgpo: ${name} must be a whole number >= ${least}, got ${value}; the paper uses ${paper}`)
}

/**
 * Classifier-Guided Perturbation Optimisation: the noise order that the classifier suffers most from after one-step
 * denoising.
 *
 * @paper E10 (CGPO), E8 (RBGM), E9 (mixed input)
 *
 *   delta_0 = 0, eps_delta ~ N(0, I); repeat `steps` times:
 *     eps ~ N(0, I);   x'_t = E9;   xhat = P(x'_t, t)
 *     delta_{k+1} = delta_k + d/d eps_delta CE(C(xhat / 2 + 0.5), y)         (straight through the sort)
 *     eps_delta   = RBGM(delta_{k+1}, fresh z)
 *
 * Returns eps_delta, as x0. Draws `rbgm` at attackStep 0 (the first eps_delta), then at attackStep k + 1: `epsilon` part
 * `cgpo` (one per eotSample), `rbgm` (z) and `rbgm` part `ties`. Networks and guide get no gradient. Throws RangeError on steps,
 * samples, times or labels out of range, ShapeError on another number of labels than images, and when a gradient is NaN.
 * Deviations: losses are summed over the batch where the published code takes their mean, so that an image's delta does not
 * depend on its batch; RBGM sees only ranks, which a positive factor leaves alone. The networks run as given: in evaluation
 * mode, unless the published code's dropout (audit finding M4) is wanted. As published, xhat is not clamped although the
 * purifier clamps it (M2), and RBGM stands outside the loop over eps, which is the same for the published single eps (M5).
 */
export const cgpo = async (batch: GuidedBatch, o: CgpoOptions): Promise<Tensor> => {
  const { steps = 5, eotSamples = 1, mapping = rbgm, accumulate = true, ties = 'random' } = o
  assertCount('steps', steps, 0, 5)
  assertCount('eotSamples', eotSamples, 1, 1)
  const { x0, t, draws } = batch
  const shape = x0.shape.slice(1)
  const strengths = lambdas(o.process, t, o.modulation)

  let epsilonDelta = draws.at({ attackStep: 0 }).normal('rbgm', shape)
  let delta = zeros(x0.shape)
  for (let k = 0; k < steps; k++) {
    const world = draws.at({ attackStep: k + 1 })
    if (!accumulate) {
      delta.dispose()
      delta = zeros(x0.shape)
    }
    for (let j = 0; j < eotSamples; j++) {
      const epsilon = world.at({ eotSample: j }).normal('epsilon', shape, { part: 'cgpo' })
      const { loss, gradient, next } = tidy(() => {
        const { gradient, aux } = valueAndGrad((eDelta: Tensor) => {
          const n = mixNoise(epsilon, { epsilonDelta: eDelta, lambdas: strengths })
          const losses = guideLoss(batch, o, n)
          return [losses.sum(), losses] as const
        })(epsilonDelta)
        return { loss: aux, gradient, next: delta.add(gradient) }
      })
      await o.onStep?.({ epsilonDelta, epsilon, loss, gradient, delta: next }, k, j)
      for (const used of [epsilon, loss, gradient, delta]) used.dispose()
      delta = next
    }
    const z = world.normal('rbgm', shape)
    const tieBreak =
      ties === 'random' ? world.uniformValues('rbgm', shape, { part: 'ties' }) : Float64Array.from({ length: delta.size }, (_, i) => i)
    const mapped = await mapping(delta, z, { tieBreak })
    for (const used of [z, epsilonDelta]) used.dispose()
    epsilonDelta = mapped
  }
  delta.dispose()
  return epsilonDelta
}
