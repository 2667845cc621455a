import { type Tensor, tidy, valueAndGrad, zeros } from '../../core/index.ts'
import { crossEntropy } from '../../core/nn/crossEntropy.ts'
import { type Modulation, paperModulation } from '../diffusion/modulation.ts'
import { predictXStartFromEpsilon, qSample, type Schedule } from '../diffusion/schedule.ts'
import type { Classifier, EpsilonModel } from '../models/types.ts'
import type { Draws } from '../randomness/draws.ts'
import { mixNoise } from './mixNoise.ts'
import { rbgm } from './rbgm.ts'

export interface CgpoOptions {
  readonly schedule: Schedule
  /** The diffusion model, its parameters frozen. */
  readonly epsilonTheta: EpsilonModel
  /** The guide, frozen; takes pixels in [0,1]. */
  readonly classifier: Classifier
  readonly modulation?: Modulation
  /** Refinements of delta. The paper: 5. With 0 the result is plain noise: the random-order control. */
  readonly steps?: number
  /** Called after each refinement with what it saw. */
  readonly onStep?: (seen: CgpoStep, step: number) => Promise<void> | void
}

export interface CgpoStep {
  /** Classifier loss of each image before the refinement, [batch]. */
  readonly loss: Tensor
  /** d loss / d eps_delta, as x0. */
  readonly gradient: Tensor
  /** Sum of the gradients so far. */
  readonly delta: Tensor
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
 * x0: [batch, channels, height, width] in [-1,1]; labels and timesteps t: one per image. Returns eps_delta, as x0. Draws
 * `rbgm` at attackStep 0 (the first eps_delta), then at attackStep k + 1: `epsilon` part `cgpo`, `rbgm` (z) and `rbgm` part
 * `ties`. theta and C get no gradient. Throws RangeError on steps, timesteps or labels out of range, ShapeError on another
 * number of labels than images, and when a gradient is NaN.
 * Deviations: losses are summed over the batch where the published code takes their mean, so that an image's delta does not
 * depend on its batch; RBGM sees only ranks, which a positive factor leaves alone. The networks run as given, so give them in
 * evaluation mode; the published code leaves dropout on (audit finding M4). As published, xhat is not clamped although the
 * purifier clamps it (M2).
 */
export const cgpo = async (x0: Tensor, labels: readonly number[], t: readonly number[], draws: Draws, o: CgpoOptions): Promise<Tensor> => {
  const { schedule, epsilonTheta, classifier, modulation = paperModulation, steps = 5 } = o
  if (!(Number.isInteger(steps) && steps >= 0))
    throw new RangeError(`cgpo: steps must be a whole number >= 0, got ${steps}; the paper uses 5`)
  const shape = x0.shape.slice(1)

  let epsilonDelta = draws.at({ attackStep: 0 }).normal('rbgm', shape)
  let delta = zeros(x0.shape)
  for (let k = 0; k < steps; k++) {
    const world = draws.at({ attackStep: k + 1 })
    const { loss, gradient, next } = tidy(() => {
      const epsilon = world.normal('epsilon', shape, { part: 'cgpo' })
      const { gradient, aux } = valueAndGrad((eDelta: Tensor) => {
        const n = mixNoise(schedule, epsilon, { epsilonDelta: eDelta, t, modulation })
        const xT = qSample(schedule, x0, { t, epsilon: n })
        const xHat = predictXStartFromEpsilon(schedule, xT, { t, epsilon: epsilonTheta(xT, t) })
        const perImage = crossEntropy(classifier(xHat.mul(0.5).add(0.5)), labels)
        return [perImage.sum(), perImage] as const
      })(epsilonDelta)
      return { loss: aux, gradient, next: delta.add(gradient) }
    })
    const z = world.normal('rbgm', shape)
    const mapped = await rbgm(next, z, { tieBreak: world.uniformValues('rbgm', shape, { part: 'ties' }) })
    await o.onStep?.({ loss, gradient, delta: next }, k)
    for (const used of [loss, gradient, z, delta, epsilonDelta]) used.dispose()
    delta = next
    epsilonDelta = mapped
  }
  delta.dispose()
  return epsilonDelta
}
