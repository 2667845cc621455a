import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { ddimSigma, ddimStep } from '../../../algorithms/diffusion/ddim.ts'
import { ddpmStep } from '../../../algorithms/diffusion/ddpm.ts'
import { alphaCumprod, qSample } from '../../../algorithms/diffusion/schedule.ts'
import { type Tensor, tensor, useBackend } from '../../../core/index.ts'
import { backendsUnderTest, isFloat32 } from '../../support/backends.ts'
import { expectAllNear, expectNear } from '../../support/numbers.ts'
import { realBetween } from '../../support/realBetween.ts'
import { runs } from '../../support/replay.ts'
import { bits, gaussian, schedule } from '../fixtures.ts'
import { coefficients, innerStrides, mustNotDraw, strides } from './steps.ts'

/** Descending timesteps of a random stride pattern, ending at -1. */
const trajectories = fc.uniqueArray(fc.nat(999), { minLength: 2, maxLength: 6 }).map(times => [...times.sort((a, b) => b - a), -1])

describe('DDIM reverse step (E4)', () => {
  beforeAll(() => useBackend('reference'))

  it('should be DDPM with fixedSmall at eta = 1, coefficient by coefficient for every stride (P35)', () => {
    fc.assert(
      fc.property(strides, at => {
        const ddim = coefficients((xT, epsilon, z) => ddimStep(schedule, xT, { ...at, clip: false, eta: 1, epsilon, z }))
        const ddpm = coefficients((xT, epsilon, z) => ddpmStep(schedule, xT, { ...at, clip: false, variance: 'fixedSmall', epsilon, z }))
        ddim.forEach((value, k) => {
          expectNear(value, ddpm[k]!, 1e-12 * Math.max(1, Math.abs(ddpm[k]!)))
        })
      }),
      { numRuns: runs(300) },
    )
  })

  it('should keep the variance of x_s for every eta: the noises in it have the total 1 - abar_s', () => {
    fc.assert(
      fc.property(innerStrides, realBetween(0, 1), ({ t, s }, eta) => {
        const [, , ofZ] = coefficients((xT, epsilon, z) => ddimStep(schedule, xT, { t, s, clip: false, eta, epsilon, z }))
        const [abarT, abarS] = [alphaCumprod(schedule, t), alphaCumprod(schedule, s)]
        expectNear(ofZ!, ddimSigma(schedule, { t, s, eta }), 1e-12)
        // With x_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) epsilon, P is x_0 and what is left of epsilon is its direction.
        const [ofXT, ofEpsilon] = coefficients((xT, epsilon) =>
          ddimStep(schedule, xT, { t, s, clip: false, eta, epsilon, z: () => tensor([0], [1, 1, 1, 1]) }),
        )
        const direction = ofXT! * Math.sqrt(1 - abarT) + ofEpsilon!
        expectNear(direction ** 2 + ofZ! ** 2, 1 - abarS, 1e-10)
      }),
      { numRuns: runs(100) },
    )
  })

  for (const backend of backendsUnderTest) {
    it(`should be independent of the reverse noise at eta = 0, and dependent on it at eta > 0, bitwise on ${backend} (P36)`, async () => {
      await useBackend(backend)
      await fc.assert(
        fc.asyncProperty(fc.nat(1e6), innerStrides, async (seed, at) => {
          const [xT, epsilon] = [gaussian(seed, 'xT', [1, 1, 2, 2]), gaussian(seed, 'eps', [1, 1, 2, 2])]
          const step = (eta: number, noise: string) =>
            bits(ddimStep(schedule, xT, { ...at, eta, epsilon, z: () => gaussian(seed, noise, [1, 1, 2, 2]) }))
          expect(await step(0, 'z1')).toBe(await step(0, 'z2'))
          expect(await step(0, 'z1')).toBe(await bits(ddimStep(schedule, xT, { ...at, epsilon, z: mustNotDraw })))
          expect(await step(1, 'z1')).not.toBe(await step(1, 'z2'))
        }),
        { numRuns: runs(20) },
      )
    })

    it(`should follow qSample(x_0) with the noise an oracle knows, and return x_0, for any stride on ${backend} (P39)`, async () => {
      await useBackend(backend)
      // Far out, P multiplies rounding errors by 1 / sqrt(abar) <= 160.
      const tolerance = isFloat32(backend) ? 2e-4 : 1e-10
      await fc.assert(
        fc.asyncProperty(fc.nat(1e6), trajectories, async (seed, times) => {
          const x0 = gaussian(seed, 'x0', [2, 1, 2, 2]).clamp(-1, 1)
          const noise = gaussian(seed, 'eps', [2, 1, 2, 2])
          const oracle = (xT: Tensor, t: number): Tensor => {
            const abar = alphaCumprod(schedule, t)
            return xT.sub(x0.mul(Math.sqrt(abar))).div(Math.sqrt(1 - abar))
          }
          let x = qSample(schedule, x0, { t: times[0]!, epsilon: noise })
          for (const [k, s] of times.slice(1).entries()) {
            const t = times[k]!
            x = ddimStep(schedule, x, { t, s, clip: false, epsilon: oracle(x, t), z: mustNotDraw })
            expectAllNear(await x.data(), await qSample(schedule, x0, { t: s, epsilon: noise }).data(), tolerance)
          }
          expectAllNear(await x.data(), await x0.data(), tolerance)
        }),
        { numRuns: runs(20) },
      )
    })

    it(`should reach with one big step what many steps reach, when epsilonTheta is constant, on ${backend} (P40)`, async () => {
      await useBackend(backend)
      const tolerance = isFloat32(backend) ? 2e-4 : 1e-10
      await fc.assert(
        fc.asyncProperty(fc.nat(1e6), trajectories, fc.boolean(), async (seed, times, toTheImage) => {
          const epsilon = gaussian(seed, 'eps', [1, 2, 2, 2])
          const start = gaussian(seed, 'xT', [1, 2, 2, 2])
          const path = toTheImage ? times : times.slice(0, -1)
          let x = start
          path.slice(1).forEach((s, k) => {
            x = ddimStep(schedule, x, { t: path[k]!, s, clip: false, epsilon, z: mustNotDraw })
          })
          const leap = ddimStep(schedule, start, { t: path[0]!, s: path.at(-1)!, clip: false, epsilon, z: mustNotDraw })
          expectAllNear(await x.data(), await leap.data(), tolerance)
        }),
        { numRuns: runs(20) },
      )
    })
  }

  it('should clip P by default and leave epsilonTheta as predicted', async () => {
    await useBackend('reference')
    const pixel = (value: number) => tensor([value], [1, 1, 1, 1])
    const abarS = alphaCumprod(schedule, 50)
    const expected = Math.sqrt(abarS) * 1 + Math.sqrt(1 - abarS) * 0.25
    expectNear(await ddimStep(schedule, pixel(30), { t: 99, s: 50, epsilon: pixel(0.25), z: mustNotDraw }).item(), expected, 1e-12)
    expectNear(await ddimStep(schedule, pixel(30), { t: 99, s: -1, epsilon: pixel(0.25), z: mustNotDraw }).item(), 1, 1e-12)
  })

  it('should refuse a step that does not go back and an eta outside [0, 1]', () => {
    const x = gaussian(0, 'x', [1, 1, 1, 1])
    expect(() => ddimStep(schedule, x, { t: 5, s: 6, epsilon: x, z: () => x })).toThrow('goes from t to an earlier s, got t = 5 and s = 6')
    for (const eta of [-0.1, 1.1, Number.NaN]) {
      expect(() => ddimStep(schedule, x, { t: 5, s: 4, eta, epsilon: x, z: () => x })).toThrow(`eta must be in [0, 1], got ${eta}`)
    }
  })
})
