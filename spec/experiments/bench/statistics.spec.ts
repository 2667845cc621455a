import fc from 'fast-check'
import { median as mathMedian } from 'mathjs'
import { describe, expect, it } from 'vitest'
import { median, pairedRatio } from '../../../experiments/bench/statistics.ts'

const time = fc.double({ min: 0.01, max: 1e4, noNaN: true })
const times = fc.array(time, { minLength: 1, maxLength: 12 })

describe('median', () => {
  it('should agree with mathjs and leave its argument alone', () => {
    fc.assert(
      fc.property(times, values => {
        const before = [...values]
        expect(median(values)).toBeCloseTo(mathMedian(values) as number, 9)
        expect(values).toEqual(before)
      }),
    )
  })

  it('should be NaN of nothing', () => {
    expect(median([])).toBeNaN()
  })
})

describe('pairedRatio', () => {
  it('should not see a slow phase of the machine that meets both alike', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(time, time, fc.double({ min: 1, max: 50, noNaN: true })), { minLength: 1, maxLength: 9 }), rounds => {
        const quiet = pairedRatio(
          rounds.map(([a]) => a),
          rounds.map(([, b]) => b),
        )
        const noisy = pairedRatio(
          rounds.map(([a, , phase]) => a * phase),
          rounds.map(([, b, phase]) => b * phase),
        )
        expect(noisy / quiet).toBeCloseTo(1, 9)
      }),
    )
  })

  it('should use the rounds that both have, and be NaN without one', () => {
    expect(pairedRatio([2, 4, 100], [1, 1])).toBe(3)
    expect(pairedRatio([2], [4, 1, 1])).toBe(0.5)
    expect(pairedRatio([], [1])).toBeNaN()
  })
})
