import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { useBackend } from '../../../core/index.ts'
import { key } from '../../../core/random/key.ts'
import { commandLine } from '../../../experiments/cli/commandLine.ts'
import { trainCommand } from '../../../experiments/digits/command.ts'
import { type DiffusionJob, diffusionJobs } from '../../../experiments/digits/jobs.ts'
import { digitsClassifier, digitsUnet } from '../../../experiments/digits/networks.ts'
import { defaultWeights, type TrainedWeights, type TrainOptions, trainDigits } from '../../../experiments/digits/train.ts'
import { saveParameters, weightsFile } from '../../../experiments/digits/weights.ts'
import { loadState } from '../../../experiments/support/checkpoint.ts'
import { UsageError, UserError } from '../../../experiments/support/errors.ts'
import { InterruptedError } from '../../../experiments/support/interrupt.ts'
import { acquireRunLock } from '../../../experiments/support/runLock.ts'
import { callProgram } from '../cli/callProgram.ts'

let out: string
beforeEach(async () => {
  out = mkdtempSync(join(tmpdir(), 'train-'))
  await useBackend('cpu')
})
afterEach(() => rmSync(out, { recursive: true, force: true }))

const stopAtOnce = {
  afterUnit: async () => {
    throw new InterruptedError('npm run train')
  },
}

const train = (more: Partial<TrainOptions> = {}): Promise<TrainedWeights> =>
  trainDigits({ out, seed: 0, only: defaultWeights, quiet: true, interrupt: stopAtOnce, ...more })

/** What a finished training of the classifier leaves. */
const writeClassifier = (seed: number): Promise<void> =>
  saveParameters(weightsFile(out, 'classifier'), digitsClassifier.init(key(1)), { seed: String(seed), steps: '400' })

/** What a finished training of a diffusion model leaves. */
const writeDiffusion = (job: DiffusionJob): Promise<void> => {
  const metadata = Object.fromEntries(Object.entries(job).map(([name, value]) => [name, JSON.stringify(value)]))
  return saveParameters(weightsFile(out, job.name), digitsUnet.init(key(2)), metadata)
}

const writeBase = (seed: number, suffix = ''): Promise<void> => writeDiffusion(diffusionJobs(seed, suffix)[0]!)

const checkpoints = (): string[] => readdirSync(join(out, 'checkpoints'))

describe('trainDigits', () => {
  it('should begin with the classifier and keep the step it was stopped after', async () => {
    await expect(train()).rejects.toThrow(InterruptedError)
    expect(checkpoints()).toEqual(['classifier.safetensors'])
    expect(loadState(join(out, 'checkpoints', 'classifier.safetensors')).meta).toMatchObject({ step: 1 })
    await expect(train()).rejects.toThrow(InterruptedError)
    expect(loadState(join(out, 'checkpoints', 'classifier.safetensors')).meta).toMatchObject({ step: 2 })
  })

  it('should skip what is finished and make only what was asked for', async () => {
    await writeClassifier(0)
    await expect(train({ only: ['vanilla'] })).rejects.toThrow(InterruptedError)
    expect(checkpoints()).toEqual(['base.safetensors'])
    await writeBase(0)
    await expect(train({ only: ['vanilla'] })).rejects.toThrow(InterruptedError)
    expect(checkpoints()).toEqual(['base.safetensors', 'vanilla.safetensors'])
    await train({ only: [] })
  })

  it('should make the pre-training alone when only it is named', async () => {
    await writeClassifier(0)
    await expect(train({ only: ['base'] })).rejects.toThrow(InterruptedError)
    expect(checkpoints()).toEqual(['base.safetensors'])
    await writeBase(0)
    await train({ only: ['base'] })
    expect(checkpoints()).toEqual(['base.safetensors'])
  })

  it('should not count the pre-training among the fine-tunings in its help', () => {
    const only = trainCommand().options.find(({ long }) => long === '--only')!
    expect(only.description).toMatch(/^fine-tunings to make: vanilla, .*, addt-paper-all-t; or base for none/)
  })

  it('should not take weights of another seed for its own', async () => {
    await writeClassifier(0)
    await expect(train({ seed: 1 })).rejects.toThrow(/classifier\.safetensors was trained with seed 0, not 1; train with --out elsewhere/)
  })

  it('should put another seed beside the first under a suffix, with the same classifier', async () => {
    await writeClassifier(0)
    await writeBase(1, '-seed1')
    await expect(train({ seed: 1, suffix: '-seed1', only: ['vanilla'] })).rejects.toThrow(InterruptedError)
    expect(checkpoints()).toEqual(['vanilla-seed1.safetensors'])
  })

  it('should refuse a name there is no training of, before anything is written', async () => {
    const act = train({ only: ['vanila'] })
    await expect(act).rejects.toThrow(UsageError)
    await expect(act).rejects.toThrow(/^--only: there is no training "vanila"; choose from the fine-tunings vanilla, /)
    expect(readdirSync(out)).toEqual([])
  })

  it('should explain a folder it cannot create', async () => {
    const act = train({ out: join('/dev/null', 'x') })
    await expect(act).rejects.toThrow(UserError)
    await expect(act).rejects.toThrow(/^cannot create the folder \/dev\/null\/x\/checkpoints .*; choose another one with --out$/)
  })

  it('should leave a folder alone in which another training is under way', async () => {
    const lock = acquireRunLock(join(out, 'lock'))
    await expect(train()).rejects.toThrow(/in use by process/)
    expect(checkpoints()).toEqual([])
    lock.release()
  })
})

describe('train', () => {
  const trained = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await callProgram('train', '--out', out, '--quiet', ...args)
    expect([code, stderr]).toEqual([0, ''])
    return stdout
  }

  it('should name npm start as the use of the weights only where they are all that it needs', async () => {
    await writeClassifier(1)
    const [base, ...fineTunings] = diffusionJobs(1)
    await writeDiffusion(base!)
    const make = commandLine('train', { out, seed: 1 })
    const lacking = (names: string) => `weights are in ${out}; npm start needs ${names} too, which are made there with: ${make}\n`
    expect(await trained('--seed', '1', '--only', 'base')).toBe(lacking('vanilla, addt-paper, addt-scaled'))
    // A suffix lets another seed use this classifier; what lacks beside it is of the classifier's seed.
    await writeBase(2, '-seed2')
    expect(await trained('--seed', '2', '--suffix=-seed2', '--only', 'base')).toBe(lacking('vanilla, addt-paper, addt-scaled'))
    const [first, ...others] = fineTunings.filter(({ name }) => defaultWeights.some(wanted => wanted === name))
    for (const job of others) await writeDiffusion(job)
    expect(await trained('--seed', '1', '--only', 'base')).toBe(lacking(first!.name))
    await writeDiffusion(first!)
    expect(await trained('--seed', '1')).toBe(`weights are in ${out}; use them with: ${commandLine('start', { weights: [out] })}\n`)
  })
})
