import type { Modulation } from '../../algorithms/diffusion/modulation.ts'
import { linearSchedule } from '../../algorithms/diffusion/schedule.ts'
import type { Parameters } from '../../algorithms/models/types.ts'
import { trainingSources } from '../../algorithms/randomness/drawName.ts'
import { createDraws, type Draws } from '../../algorithms/randomness/draws.ts'
import { addtStep, cleanStep, type LabelledBatch, type LossAndGradient, type Model } from '../../algorithms/training/addt.ts'
import { classifierStep, isRunningStatistic } from '../../algorithms/training/classifier.ts'
import { linfStep } from '../../algorithms/training/linfAblation.ts'
import { type NoiseMappingName, noiseMappings } from '../../algorithms/training/noiseMapping.ts'
import { ddpmProcess } from '../../algorithms/training/noiseProcess.ts'
import { dispose, mapTensors, stopGradient, type Tensor, tidy } from '../../core/index.ts'
import {
  adamw,
  clipGradNorm,
  constantSchedule,
  cosineSchedule,
  ema,
  type OptimizerState,
  oneCycleSchedule,
} from '../../core/optim/index.ts'
import { foldIn, key } from '../../core/random/key.ts'
import { splitDigits } from '../data/digits.ts'
import { batchOf } from '../dwBox/runUnit.ts'
import { batchIds } from '../training/batches.ts'
import type { TrainingJob } from '../training/loop.ts'
import { digitsClassifier, digitsUnet, droppingDigitsUnet } from './networks.ts'
import { classifierOf } from './weights.ts'

const schedule = linearSchedule()

type State = { readonly params: Parameters; readonly optimizer: OptimizerState }
type AveragedState = State & { readonly average: OptimizerState & { readonly average: Parameters } }

/** A record with tensors of its own, so that freeing either leaves the other. */
const copy = (parameters: Parameters): Parameters => mapTensors(parameters, stopGradient)

/** The training batch of a step, images in [-1,1] for the diffusion model. */
const trainingBatch = (seed: number, step: number, size: number) => {
  const batch = batchOf(batchIds(splitDigits().train, { seed, step, size }))
  const x0 = tidy(() => batch.images.mul(2).sub(1))
  batch.images.dispose()
  return { x0, labels: batch.labels, ids: batch.ids }
}

/** WRN-10-1: 400 steps of 128 images, AdamW with one cycle to 2e-3. */
export const classifierJob = (seed: number): TrainingJob<State> => {
  const settings = { seed, batch: 128, learningRate: 2e-3 }
  const steps = 400
  const optimizer = adamw({ learningRate: oneCycleSchedule({ max: settings.learningRate, totalSteps: steps }) })
  const trained = (parameters: Parameters): Parameters =>
    Object.fromEntries(Object.entries(parameters).filter(([name]) => !isRunningStatistic(name)))
  return {
    name: 'classifier',
    steps,
    settings,
    init: () => {
      const params = digitsClassifier.init(foldIn(key(seed), 'classifier'))
      return { params, optimizer: optimizer.init(trained(params)) }
    },
    step: async ({ params, optimizer: state }, step) =>
      tidy(() => {
        const { x0, labels } = trainingBatch(seed, step, settings.batch)
        const { loss, gradient, runningStatistics } = classifierStep(params, x0, labels, (theta, x) =>
          digitsClassifier.apply(theta, x, { train: true }),
        )
        const updated = optimizer.update(trained(params), gradient, state as ReturnType<typeof optimizer.init>)
        return { next: { params: { ...updated.params, ...runningStatistics }, optimizer: updated.state }, loss }
      }),
  }
}

/** What tells the trainings of the diffusion model apart. */
export interface DiffusionJob {
  readonly name: string
  readonly seed: number
  readonly steps: number
  /** Learning rate; `cosine` decays it to 0, otherwise 50 warm-up steps and constant. */
  readonly learningRate: number
  readonly cosine?: boolean
  /** t ~ U{0 .. limit - 1}; the whole schedule by default. */
  readonly timestepLimit?: number
  /** ADDT with this modulation; clean training without. */
  readonly modulation?: Modulation
  /** 5 in the paper; 0 is the random-order control. */
  readonly cgpoSteps?: number
  /** RBGM by default, or what stands in its place. */
  readonly mapping?: NoiseMappingName
  /** 'mixed' by default; 'epsilon' as in the published l_2 ablation. */
  readonly target?: 'mixed' | 'epsilon'
  /** Whether CGPO's delta sums the gradients of all refinements; true by default (finding M6). */
  readonly accumulate?: boolean
  /** Whether the guide's gradient reaches the diffusion model, as in the published EDM training (finding H3). */
  readonly leakGuideGradient?: boolean
  /** Whether CGPO runs the model with dropout 0.1, as published (finding M4). */
  readonly searchDropout?: boolean
  /** ADDT without RBGM (E12) with this l_inf radius in pixels of [0,1]; the step is half of it. */
  readonly linfEpsilon?: number
}

/** Weights a diffusion job starts from (null: from scratch) and the classifier that guides ADDT. */
export interface StartingPoint {
  readonly parameters: Parameters | null
  readonly classifier: Parameters | null
}

const batchSize = 64

/** The model as CGPO runs it in training mode: masks anew at each refinement, named by image and refinement. */
const droppingModel = (draws: Draws): Model => {
  let refinement = 0
  return (parameters, xT, t) => {
    const world = draws.at({ attackStep: ++refinement })
    return droppingDigitsUnet.apply(parameters, xT, t, {
      dropoutKey: draws.images.map(image => world.key('dropout', image, { part: 'cgpo' })),
    })
  }
}
const gradientNormLimit = 1

/** Diffusion training and fine-tuning, clean or ADDT: AdamW, gradient clipping, an exponential moving average. */
export const diffusionJob = (o: DiffusionJob, start: StartingPoint): TrainingJob<AveragedState> => {
  const learningRate = o.cosine
    ? cosineSchedule({ base: o.learningRate, warmUpSteps: 50, totalSteps: o.steps })
    : constantSchedule({ base: o.learningRate, warmUpSteps: 50 })
  const optimizer = adamw({ learningRate, betas: [0.95, 0.999], weightDecay: 1e-6 })
  const averaging = ema()
  const options = {
    process: ddpmProcess(schedule, { timestepLimit: o.timestepLimit ?? schedule.timesteps }),
    model: (parameters: Parameters, xT: Tensor, t: readonly number[]) => digitsUnet.apply(parameters, xT, t),
  }
  const classifier = start.classifier && classifierOf(start.classifier)
  const stepOf = async (params: Parameters, batch: LabelledBatch): Promise<LossAndGradient> => {
    if (classifier && o.linfEpsilon !== undefined)
      return linfStep(params, batch, { ...options, classifier, epsilon: o.linfEpsilon, stepSize: o.linfEpsilon / 2 })
    if (!classifier || !o.modulation) return cleanStep(params, batch, options)
    const { modulation, cgpoSteps, target, accumulate, leakGuideGradient } = o
    return addtStep(params, batch, {
      ...options,
      classifier,
      modulation,
      cgpoSteps,
      target,
      accumulate,
      leakGuideGradient,
      searchModel: o.searchDropout ? droppingModel(batch.draws) : undefined,
      mapping: o.mapping && noiseMappings[o.mapping],
    })
  }
  const gradientAt = async (params: Parameters, step: number): Promise<LossAndGradient> => {
    const { x0, labels, ids } = trainingBatch(o.seed, step, batchSize)
    const draws = createDraws({ seed: o.seed, images: ids, registered: trainingSources, context: { purpose: 'train', repetition: step } })
    const result = await stepOf(params, { x0, labels, draws })
    x0.dispose()
    return result
  }
  return {
    name: o.name,
    steps: o.steps,
    settings: { ...o, batchSize, gradientNormLimit },
    init: () => {
      const params = start.parameters ? copy(start.parameters) : digitsUnet.init(foldIn(key(o.seed), 'diffusion'))
      return { params, optimizer: optimizer.init(params), average: averaging.init(params) }
    },
    step: async ({ params, optimizer: state, average }, step) => {
      const { loss, gradient } = await gradientAt(params, step)
      const next = tidy(() => {
        const clipped = clipGradNorm(gradient, gradientNormLimit)
        const updated = optimizer.update(params, clipped.gradients, state as ReturnType<typeof optimizer.init>)
        return { params: updated.params, optimizer: updated.state, average: averaging.update(updated.params, average) }
      })
      dispose(gradient)
      return { next, loss }
    },
  }
}

/** The paper's modulation, and one scaled to the larger epsilon of the digits. */
export const modulations = {
  paper: { lambdaUnit: 0.03, lambdaMin: 0, lambdaMax: 0.3 },
  scaled: { lambdaUnit: 0.2, lambdaMin: 0, lambdaMax: 0.8 },
} as const

/** Fine-tunings see the timesteps that purification visits (t* up to 0.2) and some beyond. */
const timestepLimit = 300

/** Every diffusion training of the digits by the name of its weights. Fine-tunings start from `base` (of the same seed). */
export const diffusionJobs = (seed: number, suffix = ''): DiffusionJob[] => {
  const fineTune = (name: string, more: Partial<DiffusionJob>): DiffusionJob => ({
    name: name + suffix,
    seed,
    steps: 600,
    learningRate: 5e-4,
    timestepLimit,
    ...more,
  })
  return [
    { name: `base${suffix}`, seed, steps: 2500, learningRate: 2e-3, cosine: true },
    fineTune('vanilla', {}),
    fineTune('addt-paper', { modulation: modulations.paper }),
    fineTune('addt-scaled', { modulation: modulations.scaled }),
    fineTune('random-order', { modulation: modulations.scaled, cgpoSteps: 0 }),
    fineTune('l2-normalised', { modulation: modulations.scaled, mapping: 'l2Normalised' }),
    fineTune('mean-variance', { modulation: modulations.scaled, mapping: 'meanVarianceMatched' }),
    fineTune('noise-order', { modulation: modulations.scaled, mapping: 'valuesInNoiseOrder' }),
    fineTune('target-epsilon', { modulation: modulations.scaled, target: 'epsilon' }),
    fineTune('linf', { linfEpsilon: 0.15 }),
    fineTune('vanilla-all-t', { timestepLimit: schedule.timesteps }),
    fineTune('addt-paper-all-t', { modulation: modulations.paper, timestepLimit: schedule.timesteps }),
  ]
}
