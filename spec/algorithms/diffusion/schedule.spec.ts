import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { alphaCumprod, linearSchedule, predictXStartFromEpsilon, qSample } from '../../../algorithms/diffusion/schedule.ts'
import { tensor, tidy, useBackend, zeros } from '../../../core/index.ts'
import { backendsUnderTest } from '../../support/backends.ts'
import { expectAllNear, expectNear } from '../../support/numbers.ts'
import { gaussian, schedule } from '../fixtures.ts'

const schedules = fc
  .record({
    timesteps: fc.integer({ min: 2, max: 300 }),
    a: fc.double({ min: 1e-5, max: 0.3, noNaN: true }),
    b: fc.double({ min: 1e-5, max: 0.3, noNaN: true }),
  })
  .map(({ timesteps, a, b }) => linearSchedule({ timesteps, betaStart: Math.min(a, b), betaEnd: Math.max(a, b) }))

describe('noise schedule (E1, E2)', () => {
  it('should keep abar in (0, 1), strictly decreasing, the product of 1 - beta (P21)', () => {
    fc.assert(
      fc.property(schedules, given => {
        let logarithm = 0
        given.betas.forEach((beta, t) => {
          const abar = alphaCumprod(given, t)
          logarithm += Math.log1p(-beta)
          expect(abar > 0 && abar < alphaCumprod(given, t - 1)).toBe(true)
          expectNear(Math.log(abar), logarithm, 1e-10)
        })
        expect(alphaCumprod(given, -1)).toBe(1)
      }),
    )
  })

  it("should have the values of Ho et al.'s schedule at the purifier's timesteps", () => {
    expectNear(alphaCumprod(schedule, 100), 0.89514, 5e-6)
    expectNear(alphaCumprod(schedule, 99), 0.89702, 5e-6)
    expect([schedule.betas[0], schedule.betas[999]]).toEqual([1e-4, 0.02])
  })

  it('should reach q(x_t | x_0) by composing q(x_s | x_0) with the one-step kernels from s to t, mean and variance (P33)', async () => {
    await useBackend('reference')
    const [one, zero] = [tensor([1], [1, 1, 1, 1]), zeros([1, 1, 1, 1])]
    const kernel = (t: number): { mean: number; variance: number } =>
      tidy(() => ({
        mean: qSample(schedule, one, { t, epsilon: zero }).dataSync()[0]!,
        variance: qSample(schedule, zero, { t, epsilon: one }).dataSync()[0]! ** 2,
      }))
    fc.assert(
      fc.property(fc.nat(999), fc.nat(999), (a, b) => {
        const [s, t] = [Math.min(a, b), Math.max(a, b)]
        let { mean, variance } = kernel(s)
        for (let i = s + 1; i <= t; i++) {
          // q(x_i | x_{i-1}) = N(sqrt(1 - beta_i) x_{i-1}, beta_i)
          mean *= Math.sqrt(1 - schedule.betas[i]!)
          variance = (1 - schedule.betas[i]!) * variance + schedule.betas[i]!
        }
        expectNear(kernel(t).mean, mean, 1e-12)
        expectNear(kernel(t).variance, variance, 1e-12)
      }),
    )
  })

  for (const backend of backendsUnderTest) {
    it(`should recover x_0 from x_t and the noise that is in it, for one timestep and for one per image, on ${backend} (P26)`, async () => {
      await useBackend(backend)
      const tolerance = backend === 'cpu' ? 1e-5 : 1e-10
      await fc.assert(
        fc.asyncProperty(fc.nat(1e6), fc.tuple(fc.nat(600), fc.nat(600)), async (seed, t) => {
          const [x0, epsilon] = [gaussian(seed, 'x0', [2, 1, 2, 3]), gaussian(seed, 'eps', [2, 1, 2, 3])]
          for (const at of [t[0], t]) {
            const xT = qSample(schedule, x0, { t: at, epsilon })
            expectAllNear(await predictXStartFromEpsilon(schedule, xT, { t: at, epsilon }).data(), await x0.data(), 10 * tolerance)
          }
          const each = await qSample(schedule, x0, { t, epsilon }).data()
          const second = await qSample(schedule, x0, { t: t[1], epsilon }).data()
          expectAllNear(each.slice(6), second.slice(6), tolerance)
        }),
        { numRuns: 20 },
      )
    })
  }

  it('should refuse an impossible schedule, a timestep beyond it and a wrong number of timesteps', async () => {
    await useBackend('reference')
    const x = zeros([2, 1, 1, 1])
    expect(() => linearSchedule({ betaStart: 0.1, betaEnd: 0.01 })).toThrow(/0 < betaStart <= betaEnd < 1, got 1000, 0.1, 0.01/)
    expect(() => linearSchedule({ timesteps: 1 })).toThrow(RangeError)
    expect(() => alphaCumprod(schedule, 1000)).toThrow('timestep 1000 is not an integer below 1000')
    expect(() => alphaCumprod(schedule, 1.5)).toThrow('timestep 1.5')
    expect(() => qSample(schedule, x, { t: [3], epsilon: x })).toThrow('qSample: 2 images need as many timesteps, got 1')
    expect(() => predictXStartFromEpsilon(schedule, x, { t: [3, 4, 5], epsilon: x })).toThrow('2 images need as many timesteps, got 3')
  })
})
