import fc from 'fast-check'
import { type BigNumber, create, all as mathjsAll } from 'mathjs'
import { beforeAll, describe, expect, it } from 'vitest'
import { alphaCumprod, linearSchedule, predictXStartFromEpsilon, qSample } from '../../algorithms/diffusion/schedule.ts'
import { faithfulTimesteps, paperTimesteps } from '../../algorithms/purification/timesteps.ts'
import { tensor, tidy, useBackend } from '../../core/index.ts'
import { normal } from '../../core/random/distributions.ts'
import { foldIn, key } from '../../core/random/key.ts'
import { backendsUnderTest, isFloat32 } from '../support/backends.ts'
import { expectAllNear, expectNear } from '../support/numbers.ts'
import { realBetween } from '../support/realBetween.ts'
import { runs } from '../support/replay.ts'

const exact = create(mathjsAll!, { number: 'BigNumber', precision: 60 })
const big = (x: number): BigNumber => exact.bignumber(x)

/** abar_t in 60 digits, as the running product of 1 - beta with betas on a line. */
const exactAlphasCumprod = (timesteps: number, betaStart: number, betaEnd: number): BigNumber[] => {
  let product = big(1)
  const slope = big(betaEnd)
    .minus(betaStart)
    .div(timesteps - 1)
  return Array.from({ length: timesteps }, (_, t) => {
    product = product.times(big(1).minus(slope.times(t).plus(betaStart)))
    return product
  })
}

/** Schedules whose abar stays far above the smallest float64. */
const schedules = fc.record({
  timesteps: fc.integer({ min: 2, max: 200 }),
  betaStart: fc.double({ min: 1e-5, max: 0.02, noNaN: true }),
  spread: realBetween(0, 0.1),
})

describe('linear schedule', () => {
  it('should have abar in (0, 1), strictly decreasing, the product of 1 - beta (P21)', () => {
    fc.assert(
      fc.property(schedules, ({ timesteps, betaStart, spread }) => {
        const schedule = linearSchedule({ timesteps, betaStart, betaEnd: betaStart + spread })
        let before = 1
        exactAlphasCumprod(timesteps, betaStart, betaStart + spread).forEach((expected, t) => {
          const abar = alphaCumprod(schedule, t)
          expect(abar).toBeGreaterThan(0)
          expect(abar).toBeLessThan(before)
          expectNear(abar, expected.toNumber(), 1e-12 * abar)
          before = abar
        })
      }),
      { numRuns: runs(20) },
    )
  })

  it('should have the abar of Ho et al. to 1e-14, of which abar[99] = 0.89702 and abar[100] = 0.89514 (P21)', () => {
    const schedule = linearSchedule()
    expectAllNear(
      schedule.alphasCumprod,
      exactAlphasCumprod(1000, 1e-4, 0.02).map(abar => abar.toNumber()),
      1e-14,
    )
    expectNear(alphaCumprod(schedule, 99), 0.89702, 5e-6)
    expectNear(alphaCumprod(schedule, 100), 0.89514, 5e-6)
    expect([-1, -20].map(t => alphaCumprod(schedule, t))).toEqual([1, 1])
  })

  it('should refuse a schedule and a timestep that make no sense', () => {
    for (const wrong of [{ timesteps: 1 }, { timesteps: 2.5 }, { betaStart: 0 }, { betaStart: 0.03 }, { betaEnd: 1 }]) {
      expect(() => linearSchedule(wrong)).toThrow(/linearSchedule: needs an integer number of timesteps > 1 and 0 < betaStart/)
    }
    for (const t of [1000, 0.5, Number.NaN]) expect(() => alphaCumprod(linearSchedule(), t)).toThrow(`schedule: timestep ${t} is not`)
  })
})

describe('timesteps of the purifier', () => {
  /** Step counts that divide T = 1000, of which t* = 0.1 keeps a whole number. */
  const inferenceSteps = fc.constantFrom(10, 20, 40, 50, 100, 200, 250, 500, 1000)

  it('should slice N / 10 + 1 steps from 100 down to 0 as the published scripts, and N / 10 from 99 down as the paper (P22)', () => {
    fc.assert(
      fc.property(inferenceSteps, n => {
        const stride = 1000 / n
        const faithful = faithfulTimesteps({ tStar: 0.1, inferenceSteps: n })
        expect(faithful.map(({ t }) => t)).toEqual(Array.from({ length: n / 10 + 1 }, (_, k) => 100 - k * stride))
        const paper = paperTimesteps({ tStar: 0.1, steps: n / 10 })
        expect(paper.map(({ t }) => t)).toEqual(Array.from({ length: n / 10 }, (_, k) => 99 - k * stride))
        for (const intervals of [faithful, paper]) {
          intervals.forEach(({ t, s }, k) => {
            const next = intervals[k + 1]
            if (next) expect(s).toBe(next.t)
            else expect(s).toBeLessThan(0)
            expect(t - s).toBe(stride)
          })
        }
      }),
      { numRuns: runs(30) },
    )
    // With five steps the scripts round 4.5 half to even and start at 200.
    expect(faithfulTimesteps({ tStar: 0.1, inferenceSteps: 5 }).map(({ t }) => t)).toEqual([200, 0])
  })

  it('should make exactly the asked number of paper steps down to no noise, for every t* and T (P22)', () => {
    const range = fc.record({ timesteps: fc.integer({ min: 2, max: 1000 }), part: realBetween(0, 1) })
    fc.assert(
      fc.property(range, fc.nat(1000), ({ timesteps, part }, of) => {
        const level = 1 + Math.floor(part * (timesteps - 1))
        const steps = 1 + (of % level)
        const intervals = paperTimesteps({ timesteps, tStar: level / timesteps, steps })
        expect(intervals.length).toBe(steps)
        expect([intervals[0]!.t, intervals.at(-1)!.s]).toEqual([level - 1, -1])
        intervals.forEach(({ t, s }, k) => {
          expect(s).toBeLessThan(t)
          if (k > 0) expect(t).toBe(intervals[k - 1]!.s)
        })
      }),
      { numRuns: runs(200) },
    )
    expect(() => paperTimesteps({ timesteps: 100, tStar: 0.1, steps: 11 })).toThrow('paperTimesteps: 11 steps do not fit')
  })
})

describe.each(backendsUnderTest)('one-step estimate (E1, E2) on %s', backend => {
  beforeAll(() => useBackend(backend))
  const schedule = linearSchedule()
  /** Of values of order 1; what float rounding of x_t becomes when divided by sqrt(abar_t). */
  const tolerance = (isFloat32(backend) ? 1e-6 : 1e-12) / Math.sqrt(alphaCumprod(schedule, 999))

  it('should be x_0 when the net knows the noise, for one timestep and for one per image (P26)', () =>
    fc.assert(
      fc.asyncProperty(fc.nat(999), fc.nat(999), fc.nat(2 ** 30), async (t, other, seed) => {
        const shape = [2, 1, 2, 2]
        const draw = (name: string) => normal(foldIn(key(seed), name), 8)
        const [x0, n] = [draw('x0').map(Math.tanh), draw('n')]
        for (const steps of [t, [t, other]]) {
          const [xT, p] = tidy(() => {
            const [image, epsilon] = [tensor(x0, shape), tensor(n, shape)]
            const noisy = qSample(schedule, image, { t: steps, epsilon })
            return [noisy, predictXStartFromEpsilon(schedule, noisy, { t: steps, epsilon })] as const
          })
          const abarOf = (i: number) => alphaCumprod(schedule, i < 4 ? t : typeof steps === 'number' ? t : other)
          const expected = x0.map((x, i) => Math.sqrt(abarOf(i)) * x + Math.sqrt(1 - abarOf(i)) * n[i]!)
          expectAllNear(await xT.data(), expected, isFloat32(backend) ? 1e-6 : 1e-14)
          expectAllNear(await p.data(), x0, isFloat32(backend) ? tolerance : 1e-9)
          for (const used of [xT, p]) used.dispose()
        }
      }),
      { numRuns: runs(25) },
    ))
})
