import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { trainingSources } from '../../algorithms/randomness/drawName.ts'
import { createDraws, type Draws } from '../../algorithms/randomness/draws.ts'
import { type AddtOptions, addtStep, cleanStep, type LossAndGradient } from '../../algorithms/training/addt.ts'
import { cgpo } from '../../algorithms/training/cgpo.ts'
import { denoisingLoss } from '../../algorithms/training/denoisingLoss.ts'
import { mixNoise } from '../../algorithms/training/mixNoise.ts'
import { ddpmProcess, lambdas } from '../../algorithms/training/noiseProcess.ts'
import { dispose, liveTensors, ops, type Tensor, tidy, useBackend, valueAndGrad } from '../../core/index.ts'
import { backendsUnderTest } from '../support/backends.ts'
import { runs } from '../support/replay.ts'
import { bits, gaussian, linearClassifier, pixels, schedule } from './fixtures.ts'

const shape = [2, 1, 3, 2] as const
const perImageShape = shape.slice(1)

const cases = fc.record({ seed: fc.nat(2 ** 30), timestepLimit: fc.integer({ min: 1, max: 1000 }), labels: fc.tuple(fc.nat(2), fc.nat(2)) })

/** Everything one training step needs: a net of three parameters, a guide, images, draws. */
const setUp = (seed: number, timestepLimit: number) => {
  const parameters = {
    weight: gaussian(seed, 'weight', [1, 3, 2]),
    kernel: gaussian(seed, 'kernel', [1, 1, 3, 3]).mul(0.3),
    bias: gaussian(seed, 'bias', [1, 1, 1]),
  }
  const guide = gaussian(seed, 'guide', [6, 3])
  const x0 = pixels(seed, shape, { low: -1 })
  const draws = createDraws({ seed, images: [2, 5], registered: trainingSources, context: { purpose: 'train' } })
  const o: AddtOptions = {
    process: ddpmProcess(schedule, { timestepLimit }),
    classifier: linearClassifier(guide),
    model: ({ weight, kernel, bias }, xT) =>
      xT
        .mul(weight!)
        .add(ops.silu(ops.conv2d(xT, kernel!, { padding: 1 })))
        .add(bias!),
  }
  return { parameters, x0, draws, o, release: () => dispose([parameters, guide, x0]) }
}

const bitsOf = async ({ loss, gradient }: LossAndGradient): Promise<string[]> => Promise.all([loss, ...Object.values(gradient)].map(bits))

const timestepsOf = (draws: Draws, limit: number): number[] => [...draws.integers('timestep', { low: 0, high: limit })]

describe.each(backendsUnderTest)('ADDT step on %s', backend => {
  beforeAll(() => useBackend(backend))

  it('should be bitwise the clean step, loss and gradient, when lambda_unit is 0 (P28)', () =>
    fc.assert(
      fc.asyncProperty(cases, async ({ seed, timestepLimit, labels }) => {
        const { parameters, x0, draws, o, release } = setUp(seed, timestepLimit)
        const modulation = { lambdaUnit: 0, lambdaMin: 0, lambdaMax: 0.3 }
        const [clean, robust] = [
          cleanStep(parameters, { x0, draws }, o),
          await addtStep(parameters, { x0, labels, draws }, { ...o, modulation }),
        ]
        expect(await bitsOf(robust)).toEqual(await bitsOf(clean))
        dispose([clean, robust])
        release()
      }),
      { numRuns: runs(6) },
    ))

  it("should have the gradient of the denoising loss on the mixed noise, with nothing of the guide's loss in it (P29)", () =>
    fc.assert(
      fc.asyncProperty(cases, async ({ seed, timestepLimit, labels }) => {
        const { parameters, x0, draws, o, release } = setUp(seed, timestepLimit)
        const before = await Promise.all(Object.values(parameters).map(bits))
        const live = liveTensors()
        const result = await addtStep(parameters, { x0, labels, draws }, o)
        expect(liveTensors() - live).toBe(4)
        expect(await Promise.all(Object.values(parameters).map(bits))).toEqual(before)

        const t = timestepsOf(draws, timestepLimit)
        const epsilonDelta = await cgpo({ x0, labels, t, draws }, { ...o, network: (xT, steps) => o.model(parameters, xT, steps) })
        const expected = tidy(() => {
          const n = mixNoise(draws.normal('epsilon', perImageShape), { epsilonDelta, lambdas: lambdas(o.process, t) })
          const { value, gradient } = valueAndGrad((theta: Readonly<Record<string, Tensor>>) =>
            denoisingLoss(o.process, x0, { n, t, network: (xT, steps) => o.model(theta, xT, steps) }),
          )(parameters)
          return { loss: value, gradient }
        })
        expect(await bitsOf(result)).toEqual(await bitsOf(expected))
        dispose([result, epsilonDelta, expected])
        release()
      }),
      { numRuns: runs(6) },
    ))

  it('should train every step at one timestep below the limit per image, by the options it is given', async () => {
    const { parameters, x0, draws, o, release } = setUp(7, 5)
    const seen: (readonly number[])[] = []
    const model: AddtOptions['model'] = (theta, xT, t) => {
      seen.push(t)
      return o.model(theta, xT, t)
    }
    const result = await addtStep(parameters, { x0, labels: [0, 1], draws }, { ...o, model, cgpoSteps: 2 })
    expect(seen).toEqual(new Array(3).fill(timestepsOf(draws, 5)))
    for (const t of seen[0]!) expect(t).toBeLessThan(5)
    dispose(result)
    release()
  })
})
