import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { trainingSources } from '../../algorithms/randomness/drawName.ts'
import { createDraws } from '../../algorithms/randomness/draws.ts'
import { type AddtOptions, addtStep } from '../../algorithms/training/addt.ts'
import { type CgpoStep, cgpo, guideLoss } from '../../algorithms/training/cgpo.ts'
import { linfRatio, linfSearch, linfStep } from '../../algorithms/training/linfAblation.ts'
import { mixNoise } from '../../algorithms/training/mixNoise.ts'
import {
  l2Normalised,
  meanVarianceMatched,
  type NoiseMapping,
  noiseMappings,
  valuesInNoiseOrder,
} from '../../algorithms/training/noiseMapping.ts'
import { ddpmProcess, edmProcess, lambdas } from '../../algorithms/training/noiseProcess.ts'
import { dispose, liveTensors, type Tensor, tensor, tidy, useBackend, valueAndGrad } from '../../core/index.ts'
import { uniform } from '../../core/random/distributions.ts'
import { foldIn, key } from '../../core/random/key.ts'
import { sizeOf } from '../../core/shape.ts'
import { backendsUnderTest } from '../support/backends.ts'
import { expectAllNear, expectNear } from '../support/numbers.ts'
import { runs } from '../support/replay.ts'
import { gaussian, linearClassifier, pixels, schedule } from './fixtures.ts'

const shape = [2, 2, 3, 2] as const
const perImageShape = shape.slice(1)
const process = ddpmProcess(schedule)
const cases = fc.record({ seed: fc.nat(2 ** 30), t: fc.tuple(fc.nat(600), fc.nat(600)), labels: fc.tuple(fc.nat(2), fc.nat(2)) })
type Case = typeof cases extends fc.Arbitrary<infer T> ? T : never

const setUp = ({ seed, t, labels }: Case) => {
  const parameters = { weight: gaussian(seed, 'weight', [2, 1, 1]), bias: gaussian(seed, 'bias', [2, 1, 1]) }
  const guide = gaussian(seed, 'guide', [12, 3])
  const x0 = pixels(seed, shape, { low: -1 })
  const draws = createDraws({ seed, images: [2, 5], registered: trainingSources, context: { purpose: 'train' } })
  const model: AddtOptions['model'] = ({ weight, bias }, xT) => xT.mul(weight!).add(bias!)
  const o = {
    process,
    model,
    classifier: linearClassifier(guide),
    network: (xT: Tensor, times: readonly number[]) => model(parameters, xT, times),
  }
  return { parameters, batch: { x0, labels, draws, t }, o, release: () => dispose([parameters, guide, x0]) }
}

describe.each(backendsUnderTest)('ablations of ADDT on %s', backend => {
  beforeAll(() => useBackend(backend))
  const tolerance = backend === 'cpu' ? 1e-5 : 1e-10
  const valuesOf = async (made: Tensor): Promise<number[]> => {
    const values = Array.from(await made.data())
    made.dispose()
    return values
  }
  const map = async (mapping: NoiseMapping, delta: readonly number[], seed: number): Promise<{ mapped: number[]; z: number[] }> => {
    const [given, noise] = [tensor(delta, shape), gaussian(seed, 'z', shape)]
    const mapped = await valuesOf(await mapping(given, noise, { tieBreak: uniform(foldIn(key(seed), 'ties'), delta.length) }))
    const z = Array.from(await noise.data())
    dispose([given, noise])
    return { mapped, z }
  }
  const deltas = fc.record({
    seed: fc.nat(2 ** 30),
    delta: fc.uniqueArray(fc.integer({ min: -1000, max: 1000 }), { minLength: sizeOf(shape), maxLength: sizeOf(shape) }),
  })
  const parts = (values: readonly number[], length: number): number[][] =>
    Array.from({ length: values.length / length }, (_, i) => values.slice(i * length, (i + 1) * length))
  const mean = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length

  describe('mappings in the place of RBGM', () => {
    it('should scale a perturbation to the norm sqrt(D), its direction kept (l2Normalised)', () =>
      fc.assert(
        fc.asyncProperty(deltas, async ({ seed, delta }) => {
          const { mapped } = await map(l2Normalised, delta, seed)
          parts(mapped, 12).forEach((image, i) => {
            expectNear(Math.sqrt(image.reduce((sum, x) => sum + x * x, 0)), Math.sqrt(12), tolerance)
            const given = delta.slice(12 * i, 12 * i + 12)
            const factor = Math.sqrt(mean(given.map(x => x * x)))
            expectAllNear(
              image,
              given.map(x => x / factor),
              tolerance,
            )
          })
        }),
        { numRuns: runs(20) },
      ))

    it('should give each channel mean 0 and variance 1, an increasing line of it (meanVarianceMatched)', () =>
      fc.assert(
        fc.asyncProperty(deltas, async ({ seed, delta }) => {
          const { mapped } = await map(meanVarianceMatched, delta, seed)
          parts(mapped, 6).forEach((channel, i) => {
            expectNear(mean(channel), 0, tolerance)
            expectNear(mean(channel.map(x => x * x)), 1, tolerance)
            const [a, b, c] = delta.slice(6 * i, 6 * i + 3)
            expectNear((channel[1]! - channel[0]!) * (c! - a!), (channel[2]! - channel[0]!) * (b! - a!), 2000 * tolerance)
            expect(Math.sign(channel[1]! - channel[0]!)).toBe(Math.sign(b! - a!))
          })
        }),
        { numRuns: runs(20) },
      ))

    it('should lay the values of the perturbation in the order of the noise (valuesInNoiseOrder)', () =>
      fc.assert(
        fc.asyncProperty(deltas, async ({ seed, delta }) => {
          const { mapped, z } = await map(valuesInNoiseOrder, delta, seed)
          const { mapped: values } = await map(meanVarianceMatched, delta, seed)
          const ranks = (part: readonly number[]) => part.map(x => part.filter(y => y < x).length)
          parts(mapped, 6).forEach((channel, i) => {
            const sorted = (part: readonly number[]) => [...part].sort((a, b) => a - b)
            expect(sorted(channel)).toEqual(sorted(parts(values, 6)[i]!))
            expect(ranks(channel)).toEqual(ranks(parts(z, 6)[i]!))
          })
        }),
        { numRuns: runs(20) },
      ))

    it('should map a perturbation of zeros to finite noise, and refuse NaN where ranks are asked for', async () => {
      const zeros = new Array<number>(sizeOf(shape)).fill(0)
      for (const mapping of Object.values(noiseMappings)) expect((await map(mapping, zeros, 1)).mapped.every(Number.isFinite)).toBe(true)
      await expect(map(noiseMappings.rbgm, [Number.NaN, ...zeros.slice(1)], 1)).rejects.toThrow('delta is NaN')
    })
  })

  describe('the perturbation without RBGM (E12)', () => {
    it('should stay within its ball and the images within [-1,1] (P32)', () =>
      fc.assert(
        fc.asyncProperty(cases, fc.integer({ min: 0, max: 60 }), fc.integer({ min: 0, max: 4 }), async (given, pixel, steps) => {
          const { batch, o, release } = setUp(given)
          const epsilon = pixel / 255
          const delta = Array.from(await valuesOf(linfSearch(batch, { ...o, epsilon, steps })))
          const x0 = await batch.x0.data()
          const slack = backend === 'cpu' ? 2 ** -22 : 1e-15
          delta.forEach((d, i) => {
            expect(Math.abs(d)).toBeLessThanOrEqual(2 * epsilon + slack)
            expect(Math.abs(x0[i]! + d)).toBeLessThanOrEqual(1 + slack)
          })
          if (steps > 1 && epsilon > 0) expect(delta.some(d => d !== 0)).toBe(true)
          release()
        }),
        { numRuns: runs(12) },
      ))

    it('should go to the corner that a linear guide of two classes suffers most from (P32)', () =>
      fc.assert(
        fc.asyncProperty(fc.nat(2 ** 30), fc.nat(900), fc.nat(1), async (seed, t, label) => {
          const weights = await valuesOf(gaussian(seed, 'towardsOne', [12]))
          const guide = tensor(
            weights.flatMap(w => [-w, w]),
            [12, 2],
          )
          const x0 = pixels(seed, [1, ...perImageShape], { low: -0.5, high: 0.5 })
          const draws = createDraws({ seed, images: [3], registered: trainingSources, context: { purpose: 'train' } })
          const o = { process, network: (xT: Tensor) => xT.mul(0.5), classifier: linearClassifier(guide), epsilon: 0.1, stepSize: 0.04 }
          const delta = await valuesOf(linfSearch({ x0, labels: [label], t: [t], draws }, o))
          expectAllNear(
            delta,
            weights.map(w => Math.sign(label === 0 ? w : -w) * 0.2),
            1e-6,
          )
          dispose([guide, x0])
        }),
        { numRuns: runs(8) },
      ))

    it('should weigh the perturbation by the lambda of RBGM over lambda_unit (P23)', () => {
      for (let t = 0; t < 1000; t++) expectNear(linfRatio(process, t), lambdas(process, [t])[0]! / 0.03, 1e-12)
    })

    it('should teach the model to denoise to the clean image, perturbation and all (P32)', () =>
      fc.assert(
        fc.asyncProperty(cases, async given => {
          const { parameters, batch, o, release } = setUp(given)
          // A model that knows x_0 and the noise level predicts (x'_t - sqrt(abar) x_0) / sqrt(1 - abar): no loss.
          const t = process.drawTimes(batch.draws)
          const knowing: AddtOptions['model'] = (_, xT, times) =>
            xT
              .sub(process.noised(batch.x0, { t: times, n: batch.x0.mul(0) }))
              .div(process.noised(batch.x0.mul(0), { t: times, n: batch.x0.mul(0).add(1) }))
          const { loss, gradient } = linfStep(parameters, batch, {
            ...o,
            model: (theta, xT, times) => knowing(theta, xT, times).add(theta.bias!.mul(0)),
          })
          expect(t).toEqual(process.drawTimes(batch.draws))
          expectNear(await loss.item(), 0, backend === 'cpu' ? 1e-8 : 1e-18)
          dispose([loss, gradient])
          release()
        }),
        { numRuns: runs(6) },
      ))

    it('should refuse a radius that is none', () => {
      const { batch, o, release } = setUp({ seed: 0, t: [1, 2], labels: [0, 1] })
      expect(() => linfSearch(batch, { ...o, epsilon: -1 })).toThrow('linfSearch: needs epsilon >= 0')
      release()
    })
  })

  describe('options of CGPO and ADDT', () => {
    const seenBy = async (
      given: Case,
      options: Partial<AddtOptions & { steps: number }>,
    ): Promise<{ gradients: number[][]; deltas: number[][] }> => {
      const { batch, o, release } = setUp(given)
      const gradients: number[][] = []
      const deltas: number[][] = []
      const onStep = async ({ gradient, delta }: CgpoStep) => {
        gradients.push(Array.from(await gradient.data()))
        deltas.push(Array.from(await delta.data()))
      }
      const result = await cgpo(batch, { ...o, ...options, onStep })
      dispose(result)
      release()
      return { gradients, deltas }
    }

    it('should rank only the last gradient when it does not accumulate (finding M6)', () =>
      fc.assert(
        fc.asyncProperty(cases, async given => {
          const { gradients, deltas } = await seenBy(given, { accumulate: false })
          expect(deltas).toEqual(gradients)
          const summed = await seenBy(given, {})
          expect(summed.deltas.at(-1)).not.toEqual(summed.gradients.at(-1))
        }),
        { numRuns: runs(4) },
      ))

    it('should add up the gradients of several noises, the first that of one alone', () =>
      fc.assert(
        fc.asyncProperty(cases, async given => {
          const [three, one] = [await seenBy(given, { eotSamples: 3, steps: 1 }), await seenBy(given, { steps: 1 })]
          expect(three.gradients).toHaveLength(3)
          expect(three.gradients[0]).toEqual(one.gradients[0])
          expect(three.gradients[1]).not.toEqual(three.gradients[0])
          const scale = Math.max(...three.gradients.flat().map(Math.abs))
          const sums = three.gradients[0]!.map((_, i) => three.gradients.reduce((sum, g) => sum + g[i]!, 0))
          expectAllNear(
            three.deltas[2]!.map(d => d / scale),
            sums.map(d => d / scale),
            tolerance,
          )
        }),
        { numRuns: runs(4) },
      ))

    it('should learn eps alone where asked, which differs from the paper by the known cross term (finding M7)', () =>
      fc.assert(
        fc.asyncProperty(cases, async given => {
          const { parameters, batch, o, release } = setUp(given)
          const step = (target: 'mixed' | 'epsilon') => addtStep(parameters, batch, { ...o, target })
          const [mixed, plain] = [await step('mixed'), await step('epsilon')]
          const t = process.drawTimes(batch.draws)
          const epsilonDelta = await cgpo({ ...batch, t }, o)
          const expected = tidy(() => {
            const epsilon = batch.draws.normal('epsilon', perImageShape)
            const n = mixNoise(epsilon, { epsilonDelta, lambdas: lambdas(process, t) })
            return o.network(process.noised(batch.x0, { t, n }), t).sub(epsilon).square().mean()
          })
          expectNear(await plain.loss.item(), await expected.item(), tolerance * (1 + (await expected.item())))
          expect(await mixed.loss.item()).not.toBe(await plain.loss.item())
          dispose([mixed, plain, epsilonDelta, expected])
          release()
        }),
        { numRuns: runs(4) },
      ))

    it('should search with the model it is given for that, and train the other', async () => {
      const { parameters, batch, o, release } = setUp({ seed: 3, t: [4, 5], labels: [0, 1] })
      let [searched, trained] = [0, 0]
      const counted =
        (count: () => void): AddtOptions['model'] =>
        (...given) => {
          count()
          return o.model(...given)
        }
      const result = await addtStep(parameters, batch, {
        ...o,
        model: counted(() => trained++),
        searchModel: counted(() => searched++),
      })
      expect([searched, trained]).toEqual([5, 1])
      dispose(result)
      release()
    })

    it.each([
      ['DDPM', process],
      ['EDM', edmProcess()],
    ])("should leak the guide's gradients into the training of %s only where asked (finding H3)", (_, leaking) =>
      fc.assert(
        fc.asyncProperty(cases, async given => {
          const { parameters, batch, o, release } = setUp(given)
          const options = { ...o, process: leaking, cgpoSteps: 2 }
          const live = liveTensors()
          const clean = await addtStep(parameters, batch, options)
          const leaked = await addtStep(parameters, batch, { ...options, leakGuideGradient: true })
          expect(liveTensors() - live).toBe(6)
          const t = leaking.drawTimes(batch.draws)
          const sums = [0, 0]
          const frozen = await cgpo(
            { ...batch, t },
            {
              ...options,
              steps: 2,
              onStep: async ({ epsilonDelta, epsilon }) => {
                const { gradient, value } = valueAndGrad((theta: Readonly<Record<string, Tensor>>) => {
                  const n = mixNoise(epsilon, { epsilonDelta, lambdas: lambdas(leaking, t) })
                  return guideLoss({ ...batch, t }, { ...options, network: (xT, times) => o.model(theta, xT, times) }, n).mean()
                })(parameters)
                sums[0] += (await gradient.weight!.data())[0]!
                sums[1] += (await gradient.bias!.data())[1]!
                dispose([gradient, value])
              },
            },
          )
          const difference = async (name: string, i: number) =>
            (await leaked.gradient[name]!.data())[i]! - (await clean.gradient[name]!.data())[i]!
          const scale = 1 + Math.abs((await clean.gradient.weight!.data())[0]!) + Math.abs((await clean.gradient.bias!.data())[1]!)
          expectNear(await difference('weight', 0), sums[0]!, tolerance * scale)
          expectNear(await difference('bias', 1), sums[1]!, tolerance * scale)
          expect(await leaked.loss.item()).toBe(await clean.loss.item())
          dispose([clean, leaked, frozen])
          release()
        }),
        { numRuns: runs(4) },
      ),
    )
  })
})
