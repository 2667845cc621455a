import { type Tensor, tidy, valueAndGrad } from '../../core/index.ts'
import type { Modulation } from '../diffusion/modulation.ts'
import type { Schedule } from '../diffusion/schedule.ts'
import type { Classifier, EpsilonModel, Parameters } from '../models/types.ts'
import type { Draws } from '../randomness/draws.ts'
import { cgpo } from './cgpo.ts'
import { denoisingLoss } from './denoisingLoss.ts'
import { mixNoise } from './mixNoise.ts'

export interface DenoisingStepOptions {
  readonly schedule: Schedule
  /** The diffusion model for given parameters. */
  readonly model: (parameters: Parameters, xT: Tensor, t: readonly number[]) => Tensor
  /** Training timesteps are uniform on 0 .. timestepLimit - 1. Default, and the paper's: the whole schedule. */
  readonly timestepLimit?: number
}

export interface AddtOptions extends DenoisingStepOptions {
  readonly classifier: Classifier
  readonly modulation?: Modulation
  readonly cgpoSteps?: number
}

export interface LossAndGradient {
  /** Scalar. */
  readonly loss: Tensor
  readonly gradient: Parameters
}

/** t ~ U{0 .. limit - 1}, one per image. */
const drawTimesteps = (draws: Draws, { schedule, timestepLimit = schedule.timesteps }: DenoisingStepOptions): number[] => [
  ...draws.integers('timestep', { low: 0, high: timestepLimit }),
]

const lossAndGradient = (parameters: Parameters, x0: Tensor, n: Tensor, t: readonly number[], o: DenoisingStepOptions): LossAndGradient => {
  const { value, gradient } = valueAndGrad((theta: Parameters) => {
    const epsilonTheta: EpsilonModel = (xT, steps) => o.model(theta, xT, steps)
    return denoisingLoss(o.schedule, x0, { n, t, epsilonTheta })
  })(parameters)
  return { loss: value, gradient }
}

/**
 * Loss and gradient of one clean training step: t and eps are drawn, epsilonTheta learns eps.
 *
 * @paper E11 (with n = eps: the loss of Ho et al. 2020)
 *
 * x0: [batch, channels, height, width] in [-1,1]. Draws `timestep` and `epsilon`. Throws RangeError on a timestep limit below 1 or
 * a drawn timestep beyond the schedule.
 */
export const cleanStep = (parameters: Parameters, x0: Tensor, draws: Draws, o: DenoisingStepOptions): LossAndGradient =>
  tidy(() => {
    const t = drawTimesteps(draws, o)
    return lossAndGradient(parameters, x0, draws.normal('epsilon', x0.shape.slice(1)), t, o)
  })

/**
 * Loss and gradient of one step of Adversarial Denoising Diffusion Training.
 *
 * @paper Appendix G (ADDT), E10 (CGPO), E9 (mixed input), E11 (loss)
 *
 *   t is drawn; eps_delta = CGPO(x_0, y, t) with theta and C frozen;
 *   n = sqrt(1 - lambda_t^2) eps + lambda_t eps_delta;   theta learns n from x'_t
 *
 * Same draws as `cleanStep` for t and eps, so lambda = 0 is the clean step bit for bit. x0: [batch, channels, height, width] in
 * [-1,1]; labels: one per image. Draws what `cleanStep` and `cgpo` draw and throws as they do. The optimiser step is the caller's.
 * Deviations: CGPO and the training pass share `model`, so a model with dropout would have it in both.
 */
export const addtStep = async (
  parameters: Parameters,
  x0: Tensor,
  labels: readonly number[],
  draws: Draws,
  o: AddtOptions,
): Promise<LossAndGradient> => {
  const { schedule, modulation } = o
  const t = drawTimesteps(draws, o)
  const frozen: EpsilonModel = (xT, steps) => o.model(parameters, xT, steps)
  const epsilonDelta = await cgpo(x0, labels, t, draws, {
    schedule,
    epsilonTheta: frozen,
    classifier: o.classifier,
    modulation,
    steps: o.cgpoSteps,
  })
  const result = tidy(() => {
    const epsilon = draws.normal('epsilon', x0.shape.slice(1))
    const n = mixNoise(schedule, epsilon, { epsilonDelta, t, modulation })
    return lossAndGradient(parameters, x0, n, t, o)
  })
  epsilonDelta.dispose()
  return result
}
