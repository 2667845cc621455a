import { ops, type Tensor, tidy, valueAndGrad } from '../../core/index.ts'
import { perImage } from '../diffusion/schedule.ts'
import type { Classifier, Parameters } from '../models/types.ts'
import { type DenoisingStepOptions, denoisingGradient, type LabelledBatch, type LossAndGradient } from './addt.ts'
import { type GuidedBatch, guideLoss } from './cgpo.ts'
import type { Network, NoiseProcess } from './noiseProcess.ts'

/** Size of the perturbation, in pixels of [0,1]; the images are in [-1,1], where it is twice that. */
export interface LinfSearchOptions {
  readonly process: NoiseProcess
  readonly network: Network
  readonly classifier: Classifier
  readonly epsilon?: number
  readonly stepSize?: number
  readonly steps?: number
}

/** Weight of delta in the noise, min(gamma_t, 10): what lambda_t is of lambda_unit 0.03 under the bound 0.3. */
export const linfRatio = (process: NoiseProcess, t: number): number => Math.min(process.gamma(t), 10)

/** The noise that stands for image noise eps and perturbation delta: eps + min(gamma_t, 10) delta. */
const perturbedNoise = (process: NoiseProcess, t: readonly number[], { epsilon, delta }: Record<'epsilon' | 'delta', Tensor>): Tensor =>
  epsilon.add(delta.mul(perImage(t.map(time => linfRatio(process, time)))))

/**
 * The perturbation of the ablation without RBGM: PGD on the guide's loss after one-step denoising, from zero.
 *
 * @paper E12 (l_inf ablation)
 *
 *   delta <- delta + stepSize sign d/d delta CE(C(P(x'_t, t) / 2 + 0.5), y),  |delta| <= epsilon,  x_0 + delta in [-1,1]
 *
 * with a fresh eps at every step; no sum over steps. Result as x0, in units of [-1,1]. Draws `epsilon` part `cgpo` at attackStep
 * k + 1, as `cgpo` does. Throws RangeError unless epsilon and stepSize are >= 0 and steps a whole number >= 0.
 * Deviations: the paper's 8/255 and 4/255 are read as pixels of [0,1], as in its attacks.
 */
export const linfSearch = (batch: GuidedBatch, o: LinfSearchOptions): Tensor => {
  const { epsilon = 8 / 255, stepSize = 4 / 255, steps = 5 } = o
  if (!(epsilon >= 0 && stepSize >= 0 && Number.isInteger(steps) && steps >= 0)) {
    throw new RangeError(
      `linfSearch: needs epsilon >= 0, stepSize >= 0 and whole steps >= 0, got ${epsilon}, ${stepSize}, ${steps}; the paper uses 8/255, 4/255, 5`,
    )
  }
  const { x0, t, draws } = batch
  return tidy(() => {
    const [low, high] = [ops.maximum(x0.sub(2 * epsilon), -1), ops.minimum(x0.add(2 * epsilon), 1)]
    let delta = x0.mul(0)
    for (let k = 0; k < steps; k++) {
      const noise = draws.at({ attackStep: k + 1 }).normal('epsilon', x0.shape.slice(1), { part: 'cgpo' })
      const { gradient } = valueAndGrad((d: Tensor) =>
        guideLoss(batch, o, perturbedNoise(o.process, t, { epsilon: noise, delta: d })).sum(),
      )(delta)
      const moved = x0.add(delta).add(ops.sign(gradient).mul(2 * stepSize))
      delta = ops.minimum(ops.maximum(moved, low), high).sub(x0)
    }
    return delta
  })
}

export interface LinfStepOptions extends DenoisingStepOptions, Omit<LinfSearchOptions, 'network'> {}

/**
 * Loss and gradient of one step of ADDT without RBGM: the model learns all the noise, perturbation included, so that it
 * denoises to the clean x_0.
 *
 * @paper E12 (l_inf ablation), E11 (loss)
 *
 *   n = eps + min(gamma_t, 10) delta;   || epsilonTheta(x'_t, t) - n ||^2
 *
 * Where gamma_t <= 10, x'_t is the noised image x_0 + delta. n is not Gaussian: that is the point of the ablation. Draws what
 * `cleanStep` and `linfSearch` draw.
 */
export const linfStep = (parameters: Parameters, batch: LabelledBatch, o: LinfStepOptions): LossAndGradient =>
  tidy(() => {
    const { x0, draws } = batch
    const t = o.process.drawTimes(draws)
    const delta = linfSearch({ ...batch, t }, { ...o, network: (xT, times) => o.model(parameters, xT, times) })
    const n = perturbedNoise(o.process, t, { epsilon: draws.normal('epsilon', x0.shape.slice(1)), delta })
    return denoisingGradient(parameters, x0, { ...o, n, t })
  })
