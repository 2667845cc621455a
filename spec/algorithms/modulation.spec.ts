import fc from 'fast-check'
import { type BigNumber, create, all as mathjsAll } from 'mathjs'
import { describe, expect, it } from 'vitest'
import { gamma, lambda, type Modulation, paperModulation } from '../../algorithms/diffusion/modulation.ts'
import { linearSchedule, type Schedule } from '../../algorithms/diffusion/schedule.ts'
import { expectNear } from '../support/numbers.ts'
import { realBetween } from '../support/realBetween.ts'
import { runs } from '../support/replay.ts'

const exact = create(mathjsAll!, { number: 'BigNumber', precision: 60 })

/** gamma_t^2 = abar_t / (1 - abar_t) of the schedule's own betas, in 60 digits. */
const exactGammaSquares = ({ betas }: Schedule): BigNumber[] => {
  let abar = exact.bignumber(1)
  return Array.from(betas, beta => {
    abar = abar.times(exact.bignumber(1).minus(exact.bignumber(beta)))
    return abar.div(exact.bignumber(1).minus(abar))
  })
}

const schedules: fc.Arbitrary<Schedule> = fc
  .record({
    timesteps: fc.integer({ min: 2, max: 120 }),
    betaStart: fc.double({ min: 1e-5, max: 0.02, noNaN: true }),
    spread: realBetween(0, 0.1),
  })
  .map(({ timesteps, betaStart, spread }) => linearSchedule({ timesteps, betaStart, betaEnd: betaStart + spread }))

const part = realBetween(0, 1)
const modulations: fc.Arbitrary<Modulation> = fc
  .record({ lambdaUnit: part, a: part, b: part })
  .map(({ lambdaUnit, a, b }) => ({ lambdaUnit, lambdaMin: Math.min(a, b), lambdaMax: Math.max(a, b) }))

const timestepsOf = (schedule: Schedule): number[] => Array.from({ length: schedule.timesteps }, (_, t) => t)

describe('modulation (E7)', () => {
  it('should have gamma strictly decreasing and lambda non-increasing within its limits, in the paper [0, 0.3] (P17)', () => {
    fc.assert(
      fc.property(schedules, fc.option(modulations, { nil: paperModulation }), (schedule, modulation) => {
        const gammas = timestepsOf(schedule).map(t => gamma(schedule, t))
        const lambdas = timestepsOf(schedule).map(t => lambda(schedule, t, modulation))
        const squares = exactGammaSquares(schedule)
        gammas.forEach((value, t) => {
          const expected = squares[t]!.sqrt().toNumber()
          // 1 - abar_t cancels: rounding of abar_t, at most t + 1 units, is relative to 1 - abar_t.
          expectNear(value, expected, expected * (t + 2) * 2 ** -52 * (1 + expected ** 2))
          if (t > 0) expect(value).toBeLessThan(gammas[t - 1]!)
        })
        lambdas.forEach((value, t) => {
          expect(value).toBeGreaterThanOrEqual(modulation.lambdaMin)
          expect(value).toBeLessThanOrEqual(modulation.lambdaMax)
          if (t > 0) expect(value).toBeLessThanOrEqual(lambdas[t - 1]!)
        })
      }),
      { numRuns: runs(15) },
    )
    expect(paperModulation).toEqual({ lambdaUnit: 0.03, lambdaMin: 0, lambdaMax: 0.3 })
  })

  it('should be 0.3 exactly where gamma >= 10, with the schedule of the paper where t <= 26 (P18)', () => {
    const isTop = (schedule: Schedule, t: number) => lambda(schedule, t) === 0.3
    fc.assert(
      fc.property(schedules, schedule => {
        const squares = exactGammaSquares(schedule)
        for (const t of timestepsOf(schedule)) {
          // Within rounding of the boundary either answer is right.
          if (Math.abs(squares[t]!.toNumber() - 100) < 1e-9) continue
          expect(isTop(schedule, t)).toBe(squares[t]!.gte(100))
        }
      }),
      { numRuns: runs(15) },
    )
    const paper = linearSchedule()
    expect(timestepsOf(paper).filter(t => isTop(paper, t))).toEqual(Array.from({ length: 27 }, (_, t) => t))
  })

  it('should be lambda_unit times gamma, to 1e-12, wherever it is not clipped (P19)', () => {
    fc.assert(
      fc.property(schedules, modulations, (schedule, modulation) => {
        for (const { lambdaUnit, lambdaMin, lambdaMax } of [modulation, paperModulation]) {
          for (const t of timestepsOf(schedule)) {
            const value = lambda(schedule, t, { lambdaUnit, lambdaMin, lambdaMax })
            const free = lambdaUnit * gamma(schedule, t)
            if (free < lambdaMin) expect(value).toBe(lambdaMin)
            else if (free > lambdaMax) expect(value).toBe(lambdaMax)
            else expectNear(value / gamma(schedule, t), lambdaUnit, 1e-12)
          }
        }
      }),
      { numRuns: runs(15) },
    )
    const paper = linearSchedule()
    for (const t of timestepsOf(paper).slice(27)) expectNear(lambda(paper, t) / gamma(paper, t), 0.03, 1e-12)
  })

  it('should refuse limits out of order or out of [0, 1]', () => {
    for (const wrong of [{ lambdaUnit: -1 }, { lambdaMin: -0.1 }, { lambdaMin: 0.4 }, { lambdaMax: 1.1 }, { lambdaUnit: Number.NaN }]) {
      expect(() => lambda(linearSchedule(), 0, { ...paperModulation, ...wrong })).toThrow(
        /lambda: needs lambdaUnit >= 0 and 0 <= lambdaMin/,
      )
    }
  })
})
