import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { faithfulTimesteps, paperTimesteps, type ReverseInterval } from '../../../algorithms/purification/timesteps.ts'
import { realBetween } from '../../support/realBetween.ts'
import { runs } from '../../support/replay.ts'

const expectChain = (intervals: readonly ReverseInterval[]): void => {
  intervals.forEach(({ t, s }, k) => {
    expect(Number.isInteger(t) && Number.isInteger(s) && s < t && t < 1000).toBe(true)
    if (k > 0) expect(t).toBe(intervals[k - 1]!.s)
  })
  expect(intervals.at(-1)!.s).toBeLessThan(0)
}

const readings = {
  paperTimesteps: (steps: number) => paperTimesteps({ tStar: 0.1, steps }),
  faithfulTimesteps: (inferenceSteps: number) => faithfulTimesteps({ tStar: 0.1, inferenceSteps }),
}

describe('timesteps of the purifier', () => {
  it("should reproduce the published scripts' off-by-one table: 6, 11, 21, 51, 101 steps from 100 to 0 (P22)", () => {
    const table = [50, 100, 200, 500, 1000].map(inferenceSteps => {
      const intervals = faithfulTimesteps({ tStar: 0.1, inferenceSteps })
      return [intervals.length, intervals[0]!.t, intervals.at(-1)!.t]
    })
    expect(table).toEqual([6, 11, 21, 51, 101].map(steps => [steps, 100, 0]))
  })

  it('should round half to even as the scripts do: with N = 5 they start at t = 200 and take 2 steps (P22)', () => {
    expect(faithfulTimesteps({ tStar: 0.1, inferenceSteps: 5 })).toEqual([
      { t: 200, s: 0 },
      { t: 0, s: -200 },
    ])
    // 13.5 goes to 14; 0.7 * 45 is 31.499999999999996 in floating point and goes to 31.
    expect(faithfulTimesteps({ tStar: 0.1, inferenceSteps: 15 })).toHaveLength(2)
    expect(faithfulTimesteps({ tStar: 0.3, inferenceSteps: 45 })).toHaveLength(15)
  })

  it('should take at t* = 1 all timesteps of the scripts, which are floor(T / N) apart', () => {
    const intervals = faithfulTimesteps({ tStar: 1, inferenceSteps: 6 })
    expect(intervals.map(({ t }) => t)).toEqual([830, 664, 498, 332, 166, 0])
    expectChain(intervals)
  })

  it('should take exactly `steps` steps from t* T - 1 down to s = -1 in the reading of the paper (P22)', () => {
    const arguments_ = fc
      .record({
        timesteps: fc.integer({ min: 10, max: 1000 }),
        percent: fc.integer({ min: 1, max: 100 }),
        share: realBetween(0, 1),
      })
      .map(({ timesteps, percent, share }) => {
        const levels = Math.round((percent / 100) * timesteps)
        return { timesteps, tStar: percent / 100, levels, steps: Math.max(1, Math.round(share * levels)) }
      })
      .filter(({ levels }) => levels >= 1)
    fc.assert(
      fc.property(arguments_, ({ levels, ...o }) => {
        const intervals = paperTimesteps(o)
        expectChain(intervals)
        expect(intervals).toHaveLength(o.steps)
        expect([intervals[0]!.t, intervals.at(-1)!.s]).toEqual([levels - 1, -1])
      }),
      { numRuns: runs(300) },
    )
    expect(paperTimesteps({ tStar: 0.1, steps: 100 })[0]!.t).toBe(99)
  })

  it('should space the steps evenly, up to rounding, in both readings', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100 }), fc.constantFrom(50, 100, 200, 250, 500, 1000), (steps, inferenceSteps) => {
        for (const { t, s } of paperTimesteps({ tStar: 0.1, steps })) expect(Math.abs(t - s - 100 / steps)).toBeLessThanOrEqual(1)
        const faithful = faithfulTimesteps({ tStar: 0.1, inferenceSteps })
        expectChain(faithful)
        for (const { t, s } of faithful) expect(t - s).toBe(1000 / inferenceSteps)
      }),
      { numRuns: runs(100) },
    )
  })

  it('should refuse steps that do not fit and a t* outside (0, 1]', () => {
    expect(() => paperTimesteps({ tStar: 0.1, steps: 101 })).toThrow('101 steps do not fit into 100 timesteps; take fewer steps')
    expect(() => paperTimesteps({ tStar: 0, steps: 5 })).toThrow('needs 0 < tStar <= 1')
    for (const [name, reading] of Object.entries(readings)) {
      for (const steps of [0, -1, 2.5, 1001]) expect(() => reading(steps)).toThrow(`${name}: needs 0 < tStar <= 1 and 1..1000 whole steps`)
    }
  })
})
