import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { dispose, liveTensors, tensorsOf, useBackend } from '../../../core/index.ts'
import { FileError } from '../../../core/io/fileError.ts'
import { loadState } from '../../../experiments/support/checkpoint.ts'
import { UserError } from '../../../experiments/support/errors.ts'
import { InterruptedError } from '../../../experiments/support/interrupt.ts'
import { runTraining, type TrainingJob } from '../../../experiments/training/loop.ts'
import { runs } from '../../support/replay.ts'
import { spawnChild } from '../support/children/spawnChild.ts'
import { type ToyState, toyJob } from './toyJob.ts'

let folder: string
let checkpoint: string
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'training-'))
  checkpoint = join(folder, 'toy.safetensors')
  await useBackend('cpu')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const progress = { advance: () => {}, finish: () => {}, stop: () => {} }

/** Trains, asked to stop after `stopAfter` steps of this session. */
const train = (job: TrainingJob<ToyState>, { stopAfter = Number.POSITIVE_INFINITY, every = 50, path = checkpoint } = {}) => {
  let steps = 0
  const afterUnit = async (): Promise<void> => {
    if (++steps >= stopAfter) throw new InterruptedError('npm run train')
  }
  return runTraining(job, { checkpoint: path, every, progress, interrupt: { afterUnit } })
}

const stopped = (job: TrainingJob<ToyState>, stopAfter: number, every?: number): Promise<void> =>
  expect(train(job, { stopAfter, every })).rejects.toThrow(InterruptedError)

/** Every value of a trainee, and its counters. */
const bits = async (state: ToyState): Promise<unknown> => ({
  values: await Promise.all(tensorsOf(state).map(t => t.data())),
  counters: [state.optimizer.step, state.average.step],
})

const uninterrupted = async (steps: number): Promise<unknown> =>
  bits(await train(toyJob({ steps }), { path: join(folder, 'uninterrupted.safetensors') }))

describe('an interrupted training', () => {
  it.each(['cpu', 'reference'])('should end with the bits of an uninterrupted one wherever it was stopped: %s', async backend => {
    await useBackend(backend)
    const steps = 12
    const expected = await uninterrupted(steps)
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 6 }),
        async (a, b, every) => {
          rmSync(checkpoint, { force: true })
          await stopped(toyJob({ steps }), a, every)
          await stopped(toyJob({ steps }), b, every)
          expect(loadState(checkpoint).meta).toMatchObject({ step: a + b })
          expect(await bits(await train(toyJob({ steps }), { every }))).toEqual(expected)
        },
      ),
      { numRuns: runs(8) },
    )
  })

  it('should go on from the last checkpoint after its process was killed', async () => {
    const child = spawnChild('../../training/children/train.ts', checkpoint)
    await child.printed('step 25\n')
    child.process.kill('SIGKILL')
    expect((await child.ended).signal).toBe('SIGKILL')
    const { step } = loadState(checkpoint).meta as { step: number }
    expect(step % 10).toBe(0)
    expect(step).toBeGreaterThanOrEqual(20)
    expect(step).toBeLessThan(200)
    expect(await bits(await train(toyJob({ steps: 200 })))).toEqual(await uninterrupted(200))
    expect(readdirSync(folder).filter(name => !name.endsWith('.tmp'))).toEqual(['toy.safetensors', 'uninterrupted.safetensors'])
  })

  it('should have nothing left to do once it is finished', async () => {
    const first = await bits(await train(toyJob({ steps: 5 })))
    const never = toyJob({ steps: 5, lossAt: () => expect.fail('a step was made') })
    expect(await bits(await train(never))).toEqual(first)
  })
})

describe('a checkpoint', () => {
  it.each([
    ['"steps":20', toyJob({ steps: 21 })],
    ['"learningRate":0.05', toyJob({ steps: 20, learningRate: 0.1 })],
    ['"name":"toy"', { ...toyJob({ steps: 20 }), name: 'other' }],
  ])('should be refused by a training of other settings than %s', async (named, job) => {
    await stopped(toyJob({ steps: 20 }), 3)
    const before = readFileSync(checkpoint)
    const act = train(job)
    await expect(act).rejects.toThrow(UserError)
    await expect(act).rejects.toThrow(named)
    expect(readFileSync(checkpoint)).toEqual(before)
  })

  it('should be refused on a backend of another precision', async () => {
    await stopped(toyJob({ steps: 20 }), 3)
    await useBackend('reference')
    await expect(train(toyJob({ steps: 20 }))).rejects.toThrow(
      /another precision \(F32 instead of F64\); go on with the --backend it was begun/,
    )
  })

  it('should be refused when it is damaged, and be left for a look', async () => {
    await stopped(toyJob({ steps: 20 }), 3)
    const bytes = readFileSync(checkpoint)
    copyFileSync(checkpoint, join(folder, 'whole'))
    for (const damaged of [bytes.subarray(0, bytes.length - 1), Buffer.from(bytes).fill(1, bytes.length - 2, bytes.length - 1)]) {
      writeFileSync(checkpoint, damaged)
      const act = train(toyJob({ steps: 20 }))
      await expect(act).rejects.toThrow(FileError)
      await expect(act).rejects.toThrow(checkpoint)
      expect(readFileSync(checkpoint)).toEqual(damaged)
    }
  })
})

describe('runTraining', () => {
  it.each([
    [Number.NaN, 'NaN'],
    [Number.POSITIVE_INFINITY, 'Infinity'],
  ])('should stop at a loss of %s, naming training and step', async (factor, text) => {
    const job = toyJob({ steps: 20, lossAt: (loss, index) => (index === 7 ? loss.mul(factor) : loss) })
    const act = train(job, { every: 5 })
    await expect(act).rejects.toThrow(`training toy: the loss is ${text} at step 7; lower the learning rate`)
    await expect(act).rejects.toThrow(UserError)
    expect(loadState(checkpoint).meta).toMatchObject({ step: 5 })
  })

  it('should leave no tensor but the result', async () => {
    const before = liveTensors()
    const result = await train(toyJob({ steps: 6 }))
    expect(liveTensors() - before).toBe(tensorsOf(result).length)
    dispose(result)
    expect(liveTensors()).toBe(before)
  })
})
