import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Parameters } from '../../algorithms/models/types.ts'
import { dispose } from '../../core/index.ts'
import type { Interrupt } from '../support/interrupt.ts'
import { createProgress } from '../support/progress.ts'
import { runTraining } from '../training/loop.ts'
import { classifierJob, type DiffusionJob, diffusionJob, diffusionJobs } from './jobs.ts'
import { digitsClassifier, digitsUnet } from './networks.ts'
import { loadParameters, saveParameters, weightsFile } from './weights.ts'

export interface TrainOptions {
  /** Where weights and checkpoints are written. */
  readonly out: string
  readonly seed: number
  /** Appended to the names of the diffusion weights, to keep several training seeds apart. */
  readonly suffix?: string
  /** Names of the diffusion weights to make, without suffix; `base` is made first in any case. */
  readonly only: readonly string[]
  readonly quiet?: boolean
  readonly interrupt: Pick<Interrupt, 'afterUnit'>
}

/** What `npm start` needs. */
export const defaultWeights = ['vanilla', 'addt-paper', 'addt-scaled'] as const

/** The classifier's weights, trained unless they are there already. */
const classifier = async (o: TrainOptions): Promise<Parameters> => {
  const path = weightsFile(o.out, 'classifier')
  const shapes = { ...digitsClassifier.parameterShapes(), ...digitsClassifier.bufferShapes() }
  if (existsSync(path)) return loadParameters(path, shapes)
  const job = classifierJob(o.seed)
  const trained = await train(o, job.name, job.steps, progress =>
    runTraining(job, { checkpoint: checkpointOf(o, job.name), progress, interrupt: o.interrupt }),
  )
  await saveParameters(path, trained.params, { seed: String(o.seed), steps: String(job.steps) })
  return trained.params
}

/** One diffusion model's weights (the average), trained unless they are there already. */
const diffusion = async (
  o: TrainOptions,
  job: DiffusionJob,
  start: { parameters: Parameters | null; classifier: Parameters | null },
): Promise<void> => {
  const path = weightsFile(o.out, job.name)
  if (existsSync(path)) return
  const trained = await train(o, job.name, job.steps, progress =>
    runTraining(diffusionJob(job, start), { checkpoint: checkpointOf(o, job.name), progress, interrupt: o.interrupt }),
  )
  await saveParameters(
    path,
    trained.average.average,
    Object.fromEntries(Object.entries(job).map(([name, value]) => [name, JSON.stringify(value)])),
  )
  dispose(trained)
}

const checkpointOf = (o: TrainOptions, name: string): string => join(o.out, 'checkpoints', `${name}.safetensors`)

const train = async <T>(
  o: TrainOptions,
  label: string,
  total: number,
  body: (progress: ReturnType<typeof createProgress>) => Promise<T>,
): Promise<T> => {
  const progress = createProgress({ label, total, unit: 'steps', silent: o.quiet ?? false })
  try {
    const result = await body(progress)
    progress.finish()
    return result
  } finally {
    progress.stop()
  }
}

/**
 * Trains the networks of the digits in order: classifier, base diffusion model, fine-tunings. What is finished is kept as
 * weights, what is under way as a checkpoint, so the same call continues after an interruption.
 */
export const trainDigits = async (o: TrainOptions): Promise<void> => {
  mkdirSync(join(o.out, 'checkpoints'), { recursive: true })
  const guide = await classifier(o)
  const [base, ...fineTunings] = diffusionJobs(o.seed, o.suffix) as [DiffusionJob, ...DiffusionJob[]]
  await diffusion(o, base, { parameters: null, classifier: null })
  const parameters = loadParameters(weightsFile(o.out, base.name), digitsUnet.parameterShapes())
  for (const job of fineTunings) {
    if (o.only.includes(job.name.slice(0, job.name.length - (o.suffix ?? '').length)))
      await diffusion(o, job, { parameters, classifier: guide })
  }
}
