import { type Tensor, tidy, valueAndGrad } from '../../core/index.ts'
import type { Parameters } from '../models/types.ts'
import type { Draws } from '../randomness/draws.ts'
import { type CgpoOptions, cgpo } from './cgpo.ts'
import { denoisingLoss } from './denoisingLoss.ts'
import { guideGradientLeak } from './guideGradientLeak.ts'
import { mixNoise } from './mixNoise.ts'
import { lambdas, type NoiseProcess } from './noiseProcess.ts'

/** Images in [-1,1], [batch, channels, height, width], and the draws of this training step. */
export interface TrainingBatch {
  readonly x0: Tensor
  readonly draws: Draws
}

/** Labels: one per image, for the guide. */
export type LabelledBatch = TrainingBatch & { readonly labels: readonly number[] }

/** The diffusion model for given parameters. */
export type Model = (parameters: Parameters, xT: Tensor, t: readonly number[]) => Tensor

export interface DenoisingStepOptions {
  readonly process: NoiseProcess
  readonly model: Model
}

export interface AddtOptions extends DenoisingStepOptions, Omit<CgpoOptions, 'network' | 'steps' | 'onStep'> {
  readonly cgpoSteps?: number
  /** The model as CGPO runs it; default `model`. Given when dropout is on in only one of the two. */
  readonly searchModel?: Model
  /** What the model learns of the mix: all of its noise, as in the paper, or only eps (the published l_2 ablation, finding M7). */
  readonly target?: 'mixed' | 'epsilon'
  /**
   * Whether the gradients that CGPO's losses have by theta are added to the training gradient, as the published EDM training
   * does by never clearing them (finding H3; see `guideGradientLeak`). Default no: theta is frozen in CGPO.
   */
  readonly leakGuideGradient?: boolean
}

export interface LossAndGradient {
  /** Scalar. */
  readonly loss: Tensor
  readonly gradient: Parameters
}

/** Loss and gradient of `denoisingLoss` by the parameters. */
export const denoisingGradient = (
  parameters: Parameters,
  x0: Tensor,
  o: DenoisingStepOptions & { readonly n: Tensor; readonly t: readonly number[]; readonly target?: Tensor },
): LossAndGradient => {
  const { value, gradient } = valueAndGrad((theta: Parameters) =>
    denoisingLoss(o.process, x0, { ...o, network: (xT, t) => o.model(theta, xT, t) }),
  )(parameters)
  return { loss: value, gradient }
}

/**
 * Loss and gradient of one clean training step: t and eps are drawn, the model learns eps.
 *
 * @paper E11 (with n = eps: the loss of Ho et al. 2020)
 *
 * Draws what the process draws for t, and `epsilon`. Throws RangeError as the process does.
 */
export const cleanStep = (parameters: Parameters, { x0, draws }: TrainingBatch, o: DenoisingStepOptions): LossAndGradient =>
  tidy(() => {
    const t = o.process.drawTimes(draws)
    return denoisingGradient(parameters, x0, { ...o, n: draws.normal('epsilon', x0.shape.slice(1)), t })
  })

/**
 * Loss and gradient of one step of Adversarial Denoising Diffusion Training.
 *
 * @paper Appendix G (ADDT), E10 (CGPO), E9 (mixed input), E11 (loss)
 *
 *   t is drawn; eps_delta = CGPO(x_0, y, t) with theta and C frozen;
 *   n = sqrt(1 - lambda_t^2) eps + lambda_t eps_delta;   theta learns n from x'_t
 *
 * Same draws as `cleanStep` for t and eps, so lambda = 0 is the clean step bit for bit. Draws what `cleanStep` and `cgpo` draw
 * and throws as they do. The optimiser step is the caller's.
 */
export const addtStep = async (parameters: Parameters, batch: LabelledBatch, o: AddtOptions): Promise<LossAndGradient> => {
  const { x0, draws } = batch
  const { searchModel = o.model } = o
  const t = o.process.drawTimes(draws)
  const guided = { ...batch, t }
  const leak = o.leakGuideGradient ? guideGradientLeak(parameters, guided, { ...o, model: searchModel }) : undefined
  const epsilonDelta = await cgpo(guided, {
    ...o,
    network: (xT, steps) => searchModel(parameters, xT, steps),
    steps: o.cgpoSteps,
    onStep: leak?.add,
  })
  const result = tidy(() => {
    const epsilon = draws.normal('epsilon', x0.shape.slice(1))
    const n = mixNoise(epsilon, { epsilonDelta, lambdas: lambdas(o.process, t, o.modulation) })
    const { loss, gradient } = denoisingGradient(parameters, x0, { ...o, n, t, target: o.target === 'epsilon' ? epsilon : n })
    return { loss, gradient: leak ? leak.addedTo(gradient) : gradient }
  })
  epsilonDelta.dispose()
  return result
}
