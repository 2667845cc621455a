import { spawn } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findWeights, weightsFile } from '../digits/weights.ts'
import { EXIT, UserError } from '../support/errors.ts'
import { InterruptedError } from '../support/interrupt.ts'

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

/**
 * Makes the weights that `run --full` needs beyond those of the project: controls of seed 0, and two more training seeds.
 * Trainings run as processes of their own, `workers` at a time; what is there already is kept, and an interrupted training
 * continues. Returns the folders to search for weights. @throws InterruptedError, UserError when a training fails
 */
export const makeFullWeights = async (o: {
  readonly out: string
  readonly weights: readonly string[]
  readonly workers: number
  readonly quiet: boolean
  readonly resumeCommand: string
}): Promise<string[]> => {
  const waiting = [...trainings]
  const folders = trainings.map(({ folder }) => join(o.out, 'full-weights', folder))
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next; next = waiting.shift()) await run(next)
  }
  const run = async (training: Training): Promise<void> => {
    const folder = join(o.out, 'full-weights', training.folder)
    if (training.only.every(name => existsSync(weightsFile(folder, name + training.suffix)))) return
    mkdirSync(folder, { recursive: true })
    for (const name of training.given) copyFileSync(findWeights(o.weights, name), weightsFile(folder, name))
    const suffix = training.suffix === '' ? [] : [`--suffix=${training.suffix}`]
    const flags = ['--seed', String(training.seed), '--out', folder, ...suffix, '--only', ...training.only]
    const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), main, 'train', ...flags], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    child.stderr.on('data', (text: Buffer) => {
      if (!o.quiet) process.stderr.write(text)
    })
    const code = await new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve))
    if (code === EXIT.interrupted) throw new InterruptedError(o.resumeCommand)
    if (code !== EXIT.ok)
      throw new UserError(
        `training of ${training.only.join(', ')} ended with code ${code}`,
        'run the same command again: what was done is kept',
      )
  }
  await Promise.all(Array.from({ length: Math.min(o.workers, trainings.length) }, work))
  return folders
}
