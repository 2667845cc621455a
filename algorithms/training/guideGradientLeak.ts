import { dispose, type Tensor, tidy, valueAndGrad } from '../../core/index.ts'
import type { Modulation } from '../diffusion/modulation.ts'
import type { Classifier, Parameters } from '../models/types.ts'
import { type CgpoStep, type GuidedBatch, guideLoss } from './cgpo.ts'
import { mixNoise } from './mixNoise.ts'
import { lambdas, type NoiseProcess } from './noiseProcess.ts'

export interface GuideGradientOptions {
  readonly process: NoiseProcess
  readonly model: (parameters: Parameters, xT: Tensor, t: readonly number[]) => Tensor
  readonly classifier: Classifier
  readonly modulation?: Modulation
}

/**
 * What CGPO leaves in the diffusion model's gradient where nothing clears it: the sum over its refinements of the
 * gradient that the guide's mean loss has by theta. The published EDM training steps on it together with the denoising
 * gradient, and so also trains the purifier to please the guide (audit finding H3); the paper's theta is frozen.
 * There the denoising loss sums over the D elements of an image where `denoisingLoss` takes their mean, so the leak is divided
 * by D: its weight beside the denoising gradient is the published one.
 *
 * `add` is CGPO's `onStep`; `addedTo` returns gradient + sum and frees the sum, so it is called once.
 */
export const guideGradientLeak = (parameters: Parameters, batch: GuidedBatch, o: GuideGradientOptions) => {
  const strengths = lambdas(o.process, batch.t, o.modulation)
  const elements = batch.x0.size / batch.x0.shape[0]!
  let sum: Parameters | undefined
  const plus = (a: Parameters, b: Parameters): Parameters =>
    Object.fromEntries(Object.entries(a).map(([name, x]) => [name, x.add(b[name]!)]))
  return {
    add: ({ epsilonDelta, epsilon }: CgpoStep): void => {
      const before = sum
      sum = tidy(() => {
        const n = mixNoise(epsilon, { epsilonDelta, lambdas: strengths })
        const { gradient } = valueAndGrad((theta: Parameters) =>
          guideLoss(batch, { ...o, network: (xT, t) => o.model(theta, xT, t) }, n)
            .mean()
            .div(elements),
        )(parameters)
        return before ? plus(before, gradient) : gradient
      })
      if (before) dispose(before)
    },
    addedTo: (gradient: Parameters): Parameters => {
      if (!sum) return gradient
      const total = plus(gradient, sum)
      dispose(sum)
      sum = undefined
      return total
    },
  }
}
