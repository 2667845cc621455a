import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Parameters } from '../../algorithms/models/types.ts'
import { dispose } from '../../core/index.ts'
import { createFolders } from '../../core/io/createFolders.ts'
import { loadSafetensors } from '../../core/io/files.ts'
import { UsageError, UserError } from '../support/errors.ts'
import type { Interrupt } from '../support/interrupt.ts'
import { createProgress } from '../support/progress.ts'
import { acquireRunLock } from '../support/runLock.ts'
import { runTraining, type Trainee, type TrainingJob } from '../training/loop.ts'
import { classifierJob, type DiffusionJob, diffusionJob, diffusionJobs } from './jobs.ts'
import { digitsUnet } from './networks.ts'
import { classifierShapes, loadParameters, saveParameters, weightsFile } from './weights.ts'

export interface TrainOptions {
  /** Where weights and checkpoints are written. */
  readonly out: string
  readonly seed: number
  /** Appended to the names of the diffusion weights, to keep several training seeds beside one classifier. */
  readonly suffix?: string
  /** Names of the fine-tunings to make, without suffix. The classifier and `base` are made first in any case, and alone if only `base` is named. */
  readonly only: readonly string[]
  readonly quiet?: boolean
  readonly interrupt: Pick<Interrupt, 'afterUnit'>
}

/** What `npm start` needs. */
export const defaultWeights = ['vanilla', 'addt-paper', 'addt-scaled'] as const

/** The classifier's weights, trained unless they are there already. With a suffix one of any seed serves. */
const classifier = async (o: TrainOptions): Promise<Parameters> => {
  const path = weightsFile(o.out, 'classifier')
  const job = classifierJob(o.seed)
  const metadata = { seed: String(o.seed), steps: String(job.steps) }
  if (existsSync(path)) {
    if (!o.suffix) assertSameTraining(path, metadata)
    return loadParameters(path, classifierShapes)
  }
  const trained = await train(o, job)
  await saveParameters(path, trained.params, metadata)
  dispose(trained.optimizer)
  return trained.params
}

/** One diffusion model's weights (the average), trained unless they are there already. */
const diffusion = async (
  o: TrainOptions,
  job: DiffusionJob,
  start: { parameters: Parameters | null; classifier: Parameters | null },
): Promise<void> => {
  const path = weightsFile(o.out, job.name)
  const metadata = Object.fromEntries(Object.entries(job).map(([name, value]) => [name, JSON.stringify(value)]))
  if (existsSync(path)) {
    assertSameTraining(path, metadata)
    return
  }
  const trained = await train(o, diffusionJob(job, start))
  await saveParameters(path, trained.average.average, metadata)
  dispose(trained)
}

/** Weights that lie there are kept only if they are what this training would make. @throws UserError naming the difference */
const assertSameTraining = (path: string, metadata: Readonly<Record<string, string>>): void => {
  const found = loadSafetensors(path).metadata
  const differing = Object.keys(metadata).find(name => found[name] !== undefined && found[name] !== metadata[name])
  if (differing !== undefined)
    throw new UserError(
      `${path} was trained with ${differing} ${found[differing]}, not ${metadata[differing]}`,
      'train with --out elsewhere, or delete the file',
    )
}

const train = async <T extends Trainee>(o: TrainOptions, job: TrainingJob<T>): Promise<T> => {
  const progress = createProgress({ label: job.name, total: job.steps, unit: 'steps', silent: o.quiet ?? false })
  const checkpoint = join(o.out, 'checkpoints', `${job.name}.safetensors`)
  try {
    const result = await runTraining(job, { checkpoint, progress, interrupt: o.interrupt })
    progress.finish()
    return result
  } finally {
    progress.stop()
  }
}

/** What `--only` may name: the pre-training, which is made in any case, and the fine-tunings that start from it. */
const [baseName, ...fineTuningNames] = diffusionJobs(0).map(({ name }) => name) as [string, ...string[]]
export const trainingNames = { base: baseName, fineTunings: fineTuningNames } as const

/** The named fine-tunings of this seed. @throws UsageError on a name there is none of, or a suffix that fits no file name */
const chooseJobs = ({ seed, suffix, only }: TrainOptions): { base: DiffusionJob; fineTunings: DiffusionJob[] } => {
  const unknown = only.find(name => name !== baseName && !fineTuningNames.includes(name))
  if (unknown !== undefined)
    throw new UsageError(
      `--only: there is no training "${unknown}"`,
      `choose from the fine-tunings ${fineTuningNames.join(', ')}, or ${baseName} for the pre-training alone`,
    )
  if (suffix !== undefined && !/^[\w.-]*$/.test(suffix))
    throw new UsageError(`--suffix is ${JSON.stringify(suffix)}`, 'use letters, digits, ".", "_" and "-" only, as it ends names of files')
  const [base, ...rest] = diffusionJobs(seed, suffix) as [DiffusionJob, ...DiffusionJob[]]
  return { base, fineTunings: rest.filter((_, i) => only.includes(fineTuningNames[i]!)) }
}

export interface TrainedWeights {
  /** Names of what `npm start` needs beside the weights that are there now. */
  readonly lacking: readonly string[]
  /** Seed of the classifier there, with which they would be made. */
  readonly seed: number
}

const trainedWeights = (folder: string): TrainedWeights => ({
  lacking: defaultWeights.filter(name => !existsSync(weightsFile(folder, name))),
  seed: Number(loadSafetensors(weightsFile(folder, 'classifier')).metadata.seed ?? 0),
})

const makeFolder = (folder: string): void => {
  try {
    createFolders(folder)
  } catch (cause) {
    throw new UserError(`cannot create the folder ${folder} (${(cause as Error).message})`, 'choose another one with --out', { cause })
  }
}

/**
 * Trains the networks of the digits in order: classifier, base diffusion model, fine-tunings. What is finished is kept as
 * weights, what is under way as a checkpoint, so the same call continues after an interruption. Tells what the folder lacks then.
 * @throws UserError on unknown names, a folder that cannot be used, is in use, or holds weights of another training
 */
export const trainDigits = async (o: TrainOptions): Promise<TrainedWeights> => {
  const { base, fineTunings } = chooseJobs(o)
  makeFolder(join(o.out, 'checkpoints'))
  const lock = acquireRunLock(join(o.out, 'lock'), '--out')
  try {
    const guide = await classifier(o)
    await diffusion(o, base, { parameters: null, classifier: null })
    const parameters = loadParameters(weightsFile(o.out, base.name), digitsUnet.parameterShapes())
    for (const job of fineTunings) await diffusion(o, job, { parameters, classifier: guide })
    return trainedWeights(o.out)
  } finally {
    lock.release()
  }
}
