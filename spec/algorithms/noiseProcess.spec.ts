import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { gamma } from '../../algorithms/diffusion/modulation.ts'
import { linearSchedule, perImage } from '../../algorithms/diffusion/schedule.ts'
import { trainingSources } from '../../algorithms/randomness/drawName.ts'
import { createDraws } from '../../algorithms/randomness/draws.ts'
import { cgpo } from '../../algorithms/training/cgpo.ts'
import { denoisingLoss } from '../../algorithms/training/denoisingLoss.ts'
import { ddpmProcess, edmProcess, lambdas, type Network, type NoiseProcess, vpsdeProcess } from '../../algorithms/training/noiseProcess.ts'
import { dispose, ops, type Tensor, tidy, useBackend } from '../../core/index.ts'
import { kolmogorovSmirnov, normalCdf } from '../core/random/statistics.ts'
import { backendsUnderTest, isFloat32 } from '../support/backends.ts'
import { ksBound } from '../support/falseFailures.ts'
import { expectAllNear, expectNear } from '../support/numbers.ts'
import { runs } from '../support/replay.ts'
import { gaussian, linearClassifier, pixels, schedule } from './fixtures.ts'

interface Case {
  readonly process: NoiseProcess
  /** A time from a number in [0, 1). */
  readonly time: (u: number) => number
  /** Factors of image and noise, written out again. */
  readonly signal: (t: number) => number
  readonly noise: (t: number) => number
  /** Weight of ||x_0 - P||^2 that makes it the training loss. */
  readonly weight: (t: number) => number
  /** Whether the network predicts the noise, or the image. */
  readonly predicts: 'noise' | 'image'
}

const beta = (t: number): number => 0.05 * t + (19.9 * t * t) / 4
const processes: Record<string, Case> = {
  DDPM: {
    process: ddpmProcess(schedule),
    time: u => Math.floor(1000 * u),
    signal: t => Math.sqrt(schedule.alphasCumprod[t]!),
    noise: t => Math.sqrt(1 - schedule.alphasCumprod[t]!),
    weight: t => gamma(schedule, t) ** 2,
    predicts: 'noise',
  },
  VPSDE: {
    process: vpsdeProcess(),
    time: u => 0.001 + 0.999 * u,
    signal: t => Math.exp(-beta(t)),
    noise: t => Math.sqrt(1 - Math.exp(-2 * beta(t))),
    weight: t => 1 / (Math.exp(2 * beta(t)) - 1),
    predicts: 'noise',
  },
  EDM: {
    process: edmProcess(),
    time: u => 0.02 * 500 ** u,
    signal: () => 1,
    noise: sigma => sigma,
    weight: sigma => 1 / sigma ** 2 + 4,
    predicts: 'image',
  },
}

const shape = [3, 2, 2, 2]
const cases = fc.record({ u: fc.tuple(fc.nat(999), fc.nat(999), fc.nat(999)), seed: fc.nat(2 ** 30) })
const timesOf = (one: Case, u: readonly number[]): number[] => u.map(part => one.time(part / 1000))
const perPixel = (t: readonly number[], f: (time: number) => number): number[] => t.flatMap(time => new Array<number>(8).fill(f(time)))

describe.each(backendsUnderTest)('noise processes on %s', backend => {
  beforeAll(() => useBackend(backend))
  const tolerance = isFloat32(backend) ? 1e-4 : 1e-10
  const computed = async (make: () => Tensor): Promise<number[]> => {
    const made = tidy(make)
    const values = Array.from(await made.data())
    made.dispose()
    return values
  }

  describe.each(Object.entries(processes))('of %s', (_, one) => {
    it('should scale image and noise by its factors, gamma being their ratio (E1, E7)', () =>
      fc.assert(
        fc.asyncProperty(cases, async ({ u, seed }) => {
          const t = timesOf(one, u)
          const [x0, n] = [pixels(seed, shape, { low: -1 }), gaussian(seed, 'n', shape)]
          const [image, noise] = [await x0.data(), await n.data()]
          const noisy = await computed(() => one.process.noised(x0, { t, n }))
          const [signals, noises] = [perPixel(t, one.signal), perPixel(t, one.noise)]
          const expected = Array.from(image, (x, i) => signals[i]! * x + noises[i]! * noise[i]!)
          expectAllNear(noisy, expected, (tolerance / 10) * Math.max(...noises))
          for (const time of t) {
            const ratio = one.signal(time) / one.noise(time)
            expectNear(one.process.gamma(time) / ratio, 1, 1e-9)
            expectNear(lambdas(one.process, [time])[0]!, Math.min(0.3, 0.03 * ratio), 1e-12)
          }
          dispose([x0, n])
        }),
        { numRuns: runs(10) },
      ))

    it('should estimate x_0 itself, at no loss, from a network that knows the noise (P26)', () =>
      fc.assert(
        fc.asyncProperty(cases, async ({ u, seed }) => {
          const t = timesOf(one, u)
          const [x0, n] = [pixels(seed, shape, { low: -1 }), gaussian(seed, 'n', shape)]
          const output = one.predicts === 'noise' ? n : x0
          const estimate = await computed(() => one.process.estimate(one.process.noised(x0, { t, n }), { t, output }).mul(1))
          // float32 loses the image behind the noise in proportion to 1 / gamma.
          const lost = Math.max(1, ...t.map(time => 1 / one.process.gamma(time)))
          expectAllNear(estimate, await x0.data(), (tolerance / 10) * lost)
          expect(await computed(() => denoisingLoss(one.process, x0, { n, t, network: () => output }))).toEqual([0])
          dispose([x0, n])
        }),
        { numRuns: runs(10) },
      ))

    it('should lose the weighted square of what the estimate misses of x_0 (P25)', () =>
      fc.assert(
        fc.asyncProperty(cases, async ({ u, seed }) => {
          const t = timesOf(one, u)
          const [x0, n] = [pixels(seed, shape, { low: -1 }), gaussian(seed, 'n', shape)]
          const network: Network = xT => ops.sin(xT.mul(1.3))
          const [loss, expected] = await computed(() => {
            const xT = one.process.noised(x0, { t, n })
            const missed = one.process.estimate(xT, { t, output: network(xT, t) }).sub(x0)
            const weighted = missed
              .square()
              .mul(perImage(t.map(one.weight)))
              .mean()
            return ops.concat([denoisingLoss(one.process, x0, { n, t, network }).reshape([1]), weighted.reshape([1])], 0)
          })
          expectNear(loss! / expected!, 1, isFloat32(backend) ? 1e-2 : 1e-9)
          dispose([x0, n])
        }),
        { numRuns: runs(10) },
      ))

    it('should guide CGPO to noise that an image keeps in any batch, of the values of its z (E10, P1)', async () => {
      const perImageShape = [1, 2, 3]
      const [x0, weights] = [pixels(3, [2, ...perImageShape], { low: -1 }), gaussian(3, 'guide', [6, 3])]
      const draws = createDraws({ seed: 5, images: [4, 9], registered: trainingSources, context: { purpose: 'train' } })
      const t = one.process.drawTimes(draws)
      const o = { process: one.process, network: ((xT: Tensor) => xT.mul(0.4)) satisfies Network, classifier: linearClassifier(weights) }
      const both = await cgpo({ x0, labels: [0, 2], t, draws }, o)
      const alone = await cgpo({ x0: x0.slice([1, 0, 0, 0], [1, 1, 2, 3]), labels: [2], t: [t[1]!], draws: draws.forImages([9]) }, o)
      const values = Array.from(await both.data())
      expect(values.slice(6)).toEqual(Array.from(await alone.data()))
      const z = draws.at({ attackStep: 5 }).normalValues('rbgm', perImageShape).map(Math.fround)
      const sorted = (part: ArrayLike<number>) => Array.from(part, Math.fround).sort((a, b) => a - b)
      expect(sorted(values.slice(0, 6))).toEqual(sorted(z.slice(0, 6)))
      dispose([x0, weights, both, alone])
    })
  })
})

// 20,000 times each.
describe('training times', () => {
  const draws = createDraws({ seed: 11, images: Array.from({ length: 20_000 }, (_, i) => i), registered: trainingSources })

  it('should be all timesteps of the schedule for DDPM, or all below the limit (Appendix G)', () => {
    const five = linearSchedule({ timesteps: 5 })
    const seen = (process: NoiseProcess) => [...new Set(process.drawTimes(draws))].sort()
    expect(seen(ddpmProcess(five))).toEqual([0, 1, 2, 3, 4])
    expect(seen(ddpmProcess(five, { timestepLimit: 3 }))).toEqual([0, 1, 2])
  })

  it('should be uniform on (0.001, 1) for the VPSDE (Appendix G)', () => {
    const t = Float64Array.from(vpsdeProcess().drawTimes(draws))
    expect(Math.min(...t)).toBeGreaterThanOrEqual(0.001)
    expect(kolmogorovSmirnov(t, x => (x - 0.001) / 0.999)).toBeLessThan(ksBound('training times of the VPSDE', t.length))
  })

  it('should have ln sigma ~ N(-1.2, 1.2^2) for EDM (Appendix G)', () => {
    const logs = Float64Array.from(edmProcess().drawTimes(draws), Math.log)
    expect(kolmogorovSmirnov(logs, x => normalCdf((x + 1.2) / 1.2))).toBeLessThan(ksBound('training times of EDM', logs.length))
  })

  it('should be of the SDE that is given', () => {
    const sde = { betaMin: 0.3, betaMax: 4 }
    const mean = Math.exp(-(0.5 ** 2 * 3.7) / 4 - (0.5 * 0.3) / 2)
    expectNear(vpsdeProcess({ sde }).gamma(0.5), mean / Math.sqrt(1 - mean ** 2), 1e-12)
  })

  it('should refuse what is no process', () => {
    expect(() => vpsdeProcess({ tMin: 0 })).toThrow('needs 0 < tMin < tMax <= 1, got 0 and 1')
    expect(() => edmProcess({ sigmaData: 0 })).toThrow('needs logStd >= 0 and sigmaData > 0, got 1.2 and 0')
  })
})
