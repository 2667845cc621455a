import fc from 'fast-check'
import { type BigNumber, create, all as everything } from 'mathjs'
import { describe, expect, it } from 'vitest'
import { binomialUpperTail, clopperPearson, clopperPearsonLower } from '../../../algorithms/evaluation/statistics/clopperPearson.ts'
import { runs } from '../../support/replay.ts'
import { binomialProbabilities } from './binomial.ts'

const math = create(everything, { number: 'BigNumber', precision: 64 })
const big = (value: number): BigNumber => math.bignumber(value)

/** P(X >= k) summed term by term with 64 digits. */
const exactTail = (k: number, n: number, p: number): number => {
  let total = big(0)
  for (let i = k; i <= n; i++) {
    const ways = math.combinations(big(n), big(i)) as BigNumber
    total = total.plus(
      ways.times(big(p).pow(i)).times(
        big(1)
          .minus(big(p))
          .pow(n - i),
      ),
    )
  }
  return total.toNumber()
}

const counts = fc.integer({ min: 1, max: 40 }).chain(n => fc.tuple(fc.nat(n), fc.constant(n)))
const level = fc.constantFrom(0.001, 0.05, 0.3)
const few = { numRuns: runs(40) }

describe('binomialUpperTail', () => {
  it('should be the sum of its terms on both sides of the mean', () => {
    fc.assert(
      fc.property(counts, fc.double({ min: 0.01, max: 0.99, noNaN: true }), ([k, n], p) => {
        const expected = exactTail(k, n, p)
        expect(Math.abs(binomialUpperTail(k, n)(p) / expected - 1)).toBeLessThan(1e-12)
      }),
      few,
    )
  })

  it('should be 0 or 1 where nothing is left to chance', () => {
    expect([binomialUpperTail(0, 5)(0), binomialUpperTail(1, 5)(0), binomialUpperTail(5, 5)(1)]).toEqual([1, 0, 1])
  })
})

describe('clopperPearsonLower', () => {
  it('should leave k or more successes the probability alpha', () => {
    fc.assert(
      fc.property(counts, level, ([k, n], alpha) => {
        const bound = clopperPearsonLower(k, n, alpha)
        if (k === 0) expect(bound).toBe(0)
        else expect(Math.abs(exactTail(k, n, bound) / alpha - 1)).toBeLessThan(1e-11)
      }),
      few,
    )
  })

  it('should be alpha^(1/n) when all succeed, also for the 100,000 samples of a certificate', () => {
    for (const n of [1, 7, 1000, 100_000]) expect(clopperPearsonLower(n, n, 0.001)).toBeCloseTo(0.001 ** (1 / n), 12)
  })

  it('should find a rare success among 100,000 samples, where the largest term of a tail far above it is no number', () => {
    expect(binomialUpperTail(10, 100_000)(0.5)).toBe(1)
    // Poisson: P(X >= 10) = 0.05 at a mean of 5.4254.
    expect(clopperPearsonLower(10, 100_000, 0.05) * 100_000).toBeCloseTo(5.4254, 3)
  })

  it('should lie above the true proportion with probability at most alpha, exactly summed', () => {
    for (const n of [5, 20, 100]) {
      for (const alpha of [0.001, 0.05]) {
        const bounds = Array.from({ length: n + 1 }, (_, k) => clopperPearsonLower(k, n, alpha))
        for (const p of [0.03, 0.31, 0.5, 0.77, 0.98]) {
          const missed = binomialProbabilities(n, p).reduce((sum, weight, k) => sum + (bounds[k]! > p ? weight : 0), 0)
          expect(missed).toBeLessThanOrEqual(alpha * (1 + 1e-9))
        }
      }
    }
  })

  it('should name the counts it refuses', () => {
    for (const [k, n, alpha] of [
      [-1, 5, 0.1],
      [6, 5, 0.1],
      [1.5, 5, 0.1],
      [0, 0, 0.1],
      [1, 5, 0],
    ] as const)
      expect(() => clopperPearsonLower(k, n, alpha)).toThrow(`got ${k} of ${n} and ${alpha}`)
  })
})

describe('clopperPearson', () => {
  it('should have tails of half of 1 - confidence on each side', () => {
    fc.assert(
      fc.property(counts, ([k, n]) => {
        const { estimate, low, high } = clopperPearson(k, n, 0.9)
        expect(estimate).toBe(k / n)
        if (k > 0) expect(exactTail(k, n, low)).toBeCloseTo(0.05, 10)
        if (k < n) expect(1 - exactTail(k + 1, n, high)).toBeCloseTo(0.05, 10)
        else expect(high).toBe(1)
      }),
      few,
    )
  })
})
