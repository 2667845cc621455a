import fc from 'fast-check'
import { erf } from 'mathjs'
import { describe, expect, it } from 'vitest'
import { criticalValue, wilson } from '../../../algorithms/evaluation/statistics/wilson.ts'
import { binomialProbabilities } from './binomial.ts'

const counts = fc.integer({ min: 1, max: 5000 }).chain(n => fc.tuple(fc.nat(n), fc.constant(n)))
const level = fc.constantFrom(0.5, 0.9, 0.95, 0.99)

/** Exact probability that the 95 % interval of X successes holds p, X ~ Binomial(n, p). */
const coverage = (n: number, p: number, intervals: readonly { low: number; high: number }[]): number =>
  binomialProbabilities(n, p).reduce((sum, weight, k) => sum + (intervals[k]!.low <= p && p <= intervals[k]!.high ? weight : 0), 0)

describe('wilson', () => {
  it('should end where the score test just rejects: |p - p0| = z sqrt(p0 (1 - p0) / n)', () => {
    fc.assert(
      fc.property(counts, level, ([k, n], confidence) => {
        const { estimate, low, high } = wilson(k, n, confidence)
        const z = criticalValue(confidence)
        expect(erf(z / Math.SQRT2)).toBeCloseTo(confidence, 13)
        for (const [end, open] of [
          [low, k > 0],
          [high, k < n],
        ] as const) {
          if (open) expect(Math.abs(estimate - end)).toBeCloseTo(z * Math.sqrt((end * (1 - end)) / n), 10)
        }
        expect(low).toBeLessThanOrEqual(estimate)
        expect(high).toBeGreaterThanOrEqual(estimate)
      }),
    )
  })

  it('should mirror when successes and failures are exchanged, and stay in [0, 1] with positive width', () => {
    fc.assert(
      fc.property(counts, level, ([k, n], confidence) => {
        const interval = wilson(k, n, confidence)
        const mirrored = wilson(n - k, n, confidence)
        expect(interval.low).toBeCloseTo(1 - mirrored.high, 12)
        expect(interval.low).toBeGreaterThanOrEqual(0)
        expect(interval.high).toBeLessThanOrEqual(1)
        expect(interval.high).toBeGreaterThan(interval.low)
      }),
    )
  })

  it('should cover at least nominal - 1.5 points, exactly summed: everywhere from 512 images, on average from 20 (P66)', () => {
    for (const n of [20, 50, 100, 512, 1024]) {
      const intervals = Array.from({ length: n + 1 }, (_, k) => wilson(k, n))
      const covered = Array.from({ length: 91 }, (_, i) => coverage(n, 0.05 + i / 100, intervals))
      const average = covered.reduce((sum, c) => sum + c, 0) / covered.length
      expect(average, `n = ${n}`).toBeGreaterThan(0.945)
      expect(average, `n = ${n}`).toBeLessThan(0.96)
      if (n >= 512) expect(Math.min(...covered), `n = ${n}`).toBeGreaterThanOrEqual(0.935)
    }
  })

  it('should refuse counts and levels that make no sense', () => {
    for (const [k, n] of [
      [-1, 4],
      [5, 4],
      [0.5, 4],
      [0, 0],
    ] as const) {
      expect(() => wilson(k, n)).toThrow(/wilson: needs integers 0 <= successes <= trials/)
    }
    expect(() => wilson(1, 2, 1)).toThrow(/confidence must lie in \(0, 1\), got 1/)
  })
})
