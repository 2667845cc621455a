import { beforeAll, describe, expect, it } from 'vitest'
import { dispose, liveTensors, useBackend } from '../../../core/index.ts'
import { key } from '../../../core/random/key.ts'
import { classifierJob, diffusionJob, diffusionJobs, modulations } from '../../../experiments/digits/jobs.ts'
import { digitsClassifier, digitsUnet } from '../../../experiments/digits/networks.ts'
import type { Trainee, TrainingJob } from '../../../experiments/training/loop.ts'

beforeAll(async () => {
  await useBackend('cpu')
})

/** The loss at step 0 before and after some steps: batch and noise depend on the step alone, so both see the same. */
const lossesAroundTraining = async <T extends Trainee>(job: TrainingJob<T>, steps: number): Promise<[before: number, after: number]> => {
  let trainee = job.init()
  const losses: number[] = []
  for (let index = 0; index <= steps; index++) {
    const { next, loss } = await job.step(trainee, index % steps)
    losses.push(await loss.item())
    dispose([trainee, loss])
    trainee = next
  }
  dispose(trainee)
  return [losses[0]!, losses.at(-1)!]
}

const start = { parameters: null, classifier: null }

describe('classifierJob', () => {
  it('should lower the loss within a few steps and leave no tensor behind', async () => {
    const live = liveTensors()
    const [before, after] = await lossesAroundTraining(classifierJob(0), 12)
    // The learning rate has only begun to rise from a 25th of its maximum.
    expect(after).toBeLessThan(0.97 * before)
    expect(liveTensors()).toBe(live)
  })
})

describe('diffusionJob', () => {
  it('should lower the loss within a few steps and leave no tensor behind', async () => {
    const live = liveTensors()
    const [before, after] = await lossesAroundTraining(diffusionJob({ name: 'short', seed: 0, steps: 8, learningRate: 0.02 }, start), 8)
    expect(after).toBeLessThan(0.9 * before)
    expect(liveTensors()).toBe(live)
  })

  it('should train on other noise with ADDT, from the parameters it is given', async () => {
    const given = { parameters: digitsUnet.init(key(5)), classifier: digitsClassifier.init(key(6)) }
    const job = { name: 'short', seed: 0, steps: 2, learningRate: 1e-3, timestepLimit: 300 }
    const losses: number[] = []
    for (const spec of [job, { ...job, modulation: modulations.scaled, cgpoSteps: 1 }]) {
      const training = diffusionJob(spec, given)
      const first = training.init()
      expect(await first.params['conv_in.weight']!.data()).toEqual(await given.parameters['conv_in.weight']!.data())
      const { next, loss } = await training.step(first, 0)
      losses.push(await loss.item())
      dispose([first, next, loss])
    }
    expect(losses.every(Number.isFinite)).toBe(true)
    expect(losses[0]).not.toBe(losses[1])
    expect(given.parameters['conv_in.weight']!.disposed).toBe(false)
    dispose(given)
  })
})

describe('diffusionJobs', () => {
  it('should tell trainings apart by name, and training seeds by suffix', () => {
    const names = [...diffusionJobs(0), ...diffusionJobs(1, '-seed1')].map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    expect(names).toEqual(expect.arrayContaining(['base', 'vanilla', 'addt-paper', 'addt-scaled', 'base-seed1', 'vanilla-seed1']))
  })
})
