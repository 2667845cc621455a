import { type ChildProcess, spawn } from 'node:child_process'
import { copyFileSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createFolders } from '../../core/io/createFolders.ts'
import { findWeights, weightsFile } from '../digits/weights.ts'
import { EXIT, UserError } from '../support/errors.ts'
import type { Interrupt } from '../support/interrupt.ts'

/** One training process: a seed and the fine-tunings it makes. */
interface Training {
  readonly folder: string
  readonly seed: number
  readonly suffix: string
  readonly only: readonly string[]
  /** Weights of the project that it starts from. */
  readonly given: readonly string[]
}

const trainings: readonly Training[] = [
  { folder: 'seed1', seed: 1, suffix: '-seed1', only: ['vanilla', 'addt-scaled'], given: ['classifier'] },
  { folder: 'seed2', seed: 2, suffix: '-seed2', only: ['vanilla', 'addt-scaled'], given: ['classifier'] },
  { folder: 'seed0', seed: 0, suffix: '', only: ['random-order', 'vanilla-all-t', 'addt-paper-all-t'], given: ['classifier', 'base'] },
]

const main = fileURLToPath(new URL('../cli/main.ts', import.meta.url))

export interface FullWeightsOptions {
  /** Folder of all runs; the weights lie in `full-weights` there. */
  readonly out: string
  /** Folders searched for the weights that the trainings start from. */
  readonly weights: readonly string[]
  readonly workers: number
  readonly quiet: boolean
  readonly interrupt: Interrupt
}

/**
 * Makes the weights that `run --full` needs beyond those of the project: controls of seed 0, and two more training seeds.
 * Trainings run as processes of their own, `workers` at a time; what is there already is kept, and an interrupted training
 * continues. Returns the folders to search for weights.
 * @throws InterruptedError once the trainings have kept their last step; UserError when one fails, after the others have
 */
export const makeFullWeights = async (o: FullWeightsOptions): Promise<string[]> => {
  const waiting = [...trainings]
  const children = new Set<ChildProcess>()
  const stop = (): void => {
    waiting.length = 0
    for (const child of children) child.kill('SIGINT')
  }
  const failures: unknown[] = []
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      try {
        await runTraining(next, o, children)
      } catch (error) {
        failures.push(error)
        stop()
      }
    }
  }
  o.interrupt.signal.addEventListener('abort', stop)
  try {
    await Promise.all(Array.from({ length: Math.min(o.workers, trainings.length) }, work))
  } finally {
    o.interrupt.signal.removeEventListener('abort', stop)
  }
  await o.interrupt.afterUnit()
  if (failures.length > 0) throw failures[0]
  return trainings.map(training => folderOf(training, o))
}

const folderOf = (training: Training, o: FullWeightsOptions): string => join(o.out, 'full-weights', training.folder)

/** The files a training starts from, in its folder. @throws UserError */
const prepareFolder = (training: Training, o: FullWeightsOptions): string => {
  const folder = folderOf(training, o)
  const given = training.given.map(name => [findWeights(o.weights, name), weightsFile(folder, name)] as const)
  try {
    createFolders(folder)
    for (const [from, to] of given) copyFileSync(from, to)
  } catch (cause) {
    throw new UserError(`cannot write to ${folder} (${(cause as Error).message})`, 'choose another folder with --out', { cause })
  }
  return folder
}

const runTraining = async (training: Training, o: FullWeightsOptions, children: Set<ChildProcess>): Promise<void> => {
  const { only, seed, suffix } = training
  if (only.every(name => existsSync(weightsFile(folderOf(training, o), name + suffix)))) return
  const folder = prepareFolder(training, o)
  const flags = ['--seed', String(seed), '--out', folder, ...(suffix === '' ? [] : [`--suffix=${suffix}`]), '--only', ...only]
  const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), main, 'train', ...flags], {
    stdio: ['ignore', 'ignore', 'pipe'],
    // Ctrl-C in the terminal reaches this process alone, which passes it on once: a second one would cost steps.
    detached: true,
  })
  children.add(child)
  const kill = (): void => {
    child.kill('SIGKILL')
  }
  process.on('exit', kill)
  let lastLine = ''
  child.stderr.on('data', (text: Buffer) => {
    lastLine = String(text).trim().split('\n').at(-1)!
    if (!o.quiet && !o.interrupt.signal.aborted) process.stderr.write(text)
  })
  const code = await new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve))
  process.off('exit', kill)
  children.delete(child)
  if (code !== EXIT.ok && !o.interrupt.signal.aborted)
    throw new UserError(
      `the training of ${only.join(', ')} with seed ${seed} ended with code ${code} (${lastLine})`,
      'what was done is kept: run the same command again',
    )
}
