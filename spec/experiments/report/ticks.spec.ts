import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { extent, ticks } from '../../../experiments/report/html/ticks.ts'

describe('ticks', () => {
  it('should be a few round numbers inside the range, evenly apart', () => {
    const ranges = fc.tuple(fc.double({ min: -1e6, max: 1e6, noNaN: true }), fc.double({ min: 1e-3, max: 1e6, noNaN: true }))
    fc.assert(
      fc.property(ranges, ([low, span]) => {
        const high = low + span
        const marks = ticks(low, high)
        expect(marks.length).toBeGreaterThanOrEqual(1)
        expect(marks.length).toBeLessThanOrEqual(6)
        const slack = 1e-6 * Math.max(span, Math.abs(low) * 1e-3)
        for (const mark of marks) {
          expect(mark).toBeGreaterThanOrEqual(low - slack)
          expect(mark).toBeLessThanOrEqual(high + slack)
        }
        const steps = marks.slice(1).map((mark, i) => mark - marks[i]!)
        for (const step of steps) {
          expect(Math.abs(step - steps[0]!)).toBeLessThanOrEqual(slack)
          expect(['1', '2', '5']).toContain(
            String(Number(step.toPrecision(1)))
              .replace(/[0.]/g, '')
              .replace(/e.*$/, ''),
          )
        }
      }),
    )
  })

  it('should print as short decimals', () => {
    expect(ticks(0, 0.35, 7)).toEqual([0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35])
    expect(ticks(2, 2)).toEqual([2])
  })
})

describe('extent', () => {
  it('should span the finite values and what it must include', () => {
    expect(extent([3, 1, Number.NaN, 2], [0])).toEqual([0, 3])
    expect(extent([])).toEqual([0, 1])
  })
})
