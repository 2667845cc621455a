import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { perImage } from '../../algorithms/diffusion/schedule.ts'
import { trainingSources } from '../../algorithms/randomness/drawName.ts'
import { createDraws } from '../../algorithms/randomness/draws.ts'
import type { AddtOptions } from '../../algorithms/training/addt.ts'
import { linfRatio, linfSearch, linfStep } from '../../algorithms/training/linfAblation.ts'
import {
  l2Normalised,
  meanVarianceMatched,
  type NoiseMapping,
  noiseMappings,
  valuesInNoiseOrder,
} from '../../algorithms/training/noiseMapping.ts'
import { lambdas } from '../../algorithms/training/noiseProcess.ts'
import { dispose, type Tensor, tensor, tidy, useBackend } from '../../core/index.ts'
import { uniform } from '../../core/random/distributions.ts'
import { foldIn, key } from '../../core/random/key.ts'
import { sizeOf } from '../../core/shape.ts'
import { backendsUnderTest, isFloat32 } from '../support/backends.ts'
import { expectAllNear, expectNear } from '../support/numbers.ts'
import { runs } from '../support/replay.ts'
import { addtCases as cases, perImageShape, addtProcess as process, addtSetUp as setUp, addtShape as shape } from './addtCase.ts'
import { gaussian, linearClassifier, pixels } from './fixtures.ts'

describe.each(backendsUnderTest)('ablations of ADDT on %s', backend => {
  beforeAll(() => useBackend(backend))
  const tolerance = isFloat32(backend) ? 1e-5 : 1e-10
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

    it('should map a perturbation of zeros to finite noise', async () => {
      const zeros = new Array<number>(sizeOf(shape)).fill(0)
      for (const mapping of Object.values(noiseMappings)) expect((await map(mapping, zeros, 1)).mapped.every(Number.isFinite)).toBe(true)
    })

    it('should make zero of a constant channel, whatever its value (meanVarianceMatched)', () =>
      fc.assert(
        fc.asyncProperty(fc.double({ min: -1, max: 1, noNaN: true }), async value => {
          const constant = new Array<number>(sizeOf(shape)).fill(value)
          expect((await map(meanVarianceMatched, constant, 1)).mapped.every(x => x === 0)).toBe(true)
        }),
        { numRuns: runs(20) },
      ))

    it.each(Object.entries(noiseMappings))('should refuse NaN, naming its place, and shapes that differ: %s', async (_, mapping) => {
      const delta = Array.from({ length: sizeOf(shape) }, (__, i) => (i === 21 ? Number.NaN : i))
      await expect(map(mapping, delta, 1)).rejects.toThrow('delta is NaN at image 1, channel 1, row 1, column 1;')
      const [given, other] = [gaussian(1, 'delta', shape), gaussian(1, 'z', [2, 2, 2, 3])]
      await expect(mapping(given, other, { tieBreak: new Float64Array(sizeOf(shape)) })).rejects.toThrow('draw z in the shape of delta')
      await expect(mapping(given, given, { tieBreak: [0] })).rejects.toThrow('tieBreak has 1 values for 24 elements')
      dispose([given, other])
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
          const slack = isFloat32(backend) ? 2 ** -22 : 1e-15
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

    it('should by default move by 4/255 and stay within 8/255 of pixels, twice that in [-1,1] (E12)', async () => {
      const x0 = pixels(5, [1, ...perImageShape], { low: -0.5, high: 0.5 })
      const [towardsOne, draws] = [gaussian(5, 'towardsOne', [12, 1]), createDraws({ seed: 5, images: [3], registered: trainingSources })]
      const guide = towardsOne.matmul(tensor([-1, 1], [1, 2]))
      const o = { process, network: (xT: Tensor) => xT.mul(0.5), classifier: linearClassifier(guide) }
      const search = (steps?: number) => valuesOf(linfSearch({ x0, labels: [0], t: [300], draws }, { ...o, ...(steps && { steps }) }))
      const sizes = (delta: readonly number[]) => delta.map(d => Math.abs(d * 255) / 2)
      expectAllNear(sizes(await search(1)), new Array<number>(12).fill(4), 1e-4)
      expectAllNear(sizes(await search()), new Array<number>(12).fill(8), 1e-4)
      dispose([x0, towardsOne, guide])
    })

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
          expectNear(await loss.item(), 0, isFloat32(backend) ? 1e-8 : 1e-18)
          dispose([loss, gradient])
          release()
        }),
        { numRuns: runs(6) },
      ))

    it('should train on the noise eps + min(gamma_t, 10) delta with the delta of the search (E11)', () =>
      fc.assert(
        fc.asyncProperty(cases, async given => {
          const { parameters, batch, o, release } = setUp(given)
          const t = process.drawTimes(batch.draws)
          const { loss, gradient } = linfStep(parameters, batch, { ...o, epsilon: 0.1, stepSize: 0.05 })
          const delta = linfSearch({ ...batch, t }, { ...o, epsilon: 0.1, stepSize: 0.05 })
          expect(Array.from(await delta.data()).some(d => d !== 0)).toBe(true)
          const expected = tidy(() => {
            const n = batch.draws.normal('epsilon', perImageShape).add(delta.mul(perImage(t.map(time => linfRatio(process, time)))))
            return o.network(process.noised(batch.x0, { t, n }), t).sub(n).square().mean()
          })
          expectNear((await loss.item()) / (await expected.item()), 1, tolerance)
          dispose([loss, gradient, delta, expected])
          release()
        }),
        { numRuns: runs(4) },
      ))

    it('should refuse a radius that is none', () => {
      const { batch, o, release } = setUp({ seed: 0, t: [1, 2], labels: [0, 1] })
      expect(() => linfSearch(batch, { ...o, epsilon: -1 })).toThrow('linfSearch: needs epsilon >= 0')
      release()
    })
  })
})

describe('the search without RBGM', () => {
  it('should take the noises of CGPO, one to each of five steps unless told otherwise', async () => {
    await useBackend('reference')
    const { batch, o, release } = setUp({ seed: 4, t: [40, 700], labels: [0, 1] })
    const seen: number[][] = []
    const network = (xT: Tensor, t: readonly number[]): Tensor => {
      seen.push([...xT.dataSync()])
      return o.network(xT, t)
    }
    // Without a step size delta stays zero, and the network sees nothing but x_0 and the noise.
    linfSearch(batch, { ...o, network, stepSize: 0 }).dispose()
    const noise = (attackStep: number) => batch.draws.at({ attackStep }).normal('epsilon', perImageShape, { part: 'cgpo' })
    expect(seen).toEqual([1, 2, 3, 4, 5].map(step => [...process.noised(batch.x0, { t: batch.t, n: noise(step) }).dataSync()]))
    release()
  })
})
