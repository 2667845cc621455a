import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { normal, permutation, randint, uniform } from '../../../core/random/distributions.ts'
import { foldIn, key, split } from '../../../core/random/key.ts'
import { normalQuantile } from '../../../core/random/normalQuantile.ts'
import { threefry2x32 } from '../../../core/random/threefry2x32.ts'
import { chiSquareBound, ksBound, standardErrors } from '../../support/falseFailures.ts'
import { runs } from '../../support/replay.ts'
import { chiSquareUniform, correlation, kolmogorovSmirnov, mean, normalCdf } from './statistics.ts'

const n = 100_000
const seeds = fc.maxSafeNat()

describe('distributions', () => {
  // jax 0.10.2, float64; its normal inverts erf instead of Phi and leaves out the half step.
  it('should draw the uniform values of JAX, and its normal values to 1e-11', () => {
    expect([...uniform(key(42), 5)]).toEqual([
      0.4267275666499091, 0.015010069515314584, 0.5741444178995352, 0.7298188969046309, 0.687800341230566,
    ])
    const jax = [-0.18471174528191162, -2.169824560397754, 0.18693555179382582, 0.6122653570510959, 0.4896249504757018]
    normal(key(42), 5).forEach((z, i) => {
      expect(Math.abs(z - jax[i]!)).toBeLessThan(1e-11)
    })
  })

  it('should make element i from (key, i) alone, so that a longer draw begins with the shorter (P48)', () => {
    fc.assert(
      fc.property(seeds, fc.nat(2500), fc.nat(2500), (seed, short, more) => {
        const k = key(seed)
        expect(uniform(k, short + more).slice(0, short)).toEqual(uniform(k, short))
        expect(normal(k, short + more).slice(0, short)).toEqual(normal(k, short))
        const [high, low] = threefry2x32(k, [0, short])
        const u = (high * 2 ** 20 + Math.floor(low / 2 ** 12)) / 2 ** 52
        expect(uniform(k, short + 1)[short]).toBe(u)
        expect(normal(k, short + 1)[short]).toBe(normalQuantile(u + 2 ** -53))
      }),
      { numRuns: runs(30) },
    )
  })

  it('should pass Kolmogorov-Smirnov, n = 1e5', () => {
    const bound = ksBound('uniform and normal law', n, 6)
    for (const seed of [0, 1, 2 ** 33]) {
      expect(kolmogorovSmirnov(uniform(key(seed), n), x => x)).toBeLessThan(bound)
      expect(kolmogorovSmirnov(normal(key(seed), n), normalCdf)).toBeLessThan(bound)
    }
  })

  // Under N(0,1) the sample means of z, z^2, z^3, z^4 have variances 1, 2, 15, 96 over n.
  it('should have the first four moments of N(0, 1)', () => {
    const z = normal(key(7), n)
    const moments: readonly [number, number][] = [
      [0, 1],
      [1, 2],
      [0, 15],
      [3, 96],
    ]
    moments.forEach(([expected, variance], power) => {
      const bound = standardErrors('moments of the normal law', 4) * Math.sqrt(variance / n)
      expect(Math.abs(mean(z.map(x => x ** (power + 1))) - expected)).toBeLessThan(bound)
    })
  })

  // 10 pairs of streams and of their squares, 15 lags.
  it('should be uncorrelated across neighbouring keys and across lags', () => {
    const parent = key(11)
    const [first, second] = split(parent)
    const streams = [first!, second!, foldIn(parent, 'a'), foldIn(parent, 'b'), key(12)].map(k => normal(k, n))
    const errors = standardErrors('correlation of keys and lags', 35)
    const bound = errors / Math.sqrt(n)
    streams.forEach((a, i) => {
      for (const b of streams.slice(i + 1)) {
        expect(Math.abs(correlation(a, b))).toBeLessThan(bound)
        const squares = [a, b].map(x => x.map(v => v * v))
        expect(Math.abs(correlation(squares[0]!, squares[1]!))).toBeLessThan(bound)
      }
      for (const lag of [1, 2, 32]) {
        expect(Math.abs(correlation(a.subarray(lag), a.subarray(0, n - lag)))).toBeLessThan(errors / Math.sqrt(n - lag))
      }
    })
  })

  it('should draw every integer of [low, high) equally often and no other', () => {
    const counts = new Array<number>(10).fill(0)
    for (const value of randint(key(3), n, -4, 6)) counts[value + 4]!++
    expect(counts.reduce((a, b) => a + b)).toBe(n)
    expect(chiSquareUniform(counts)).toBeLessThan(chiSquareBound('integers equally often', 9))
    expect([...new Set(randint(key(3), 50, 2 ** 31 - 1, 2 ** 31))]).toEqual([2 ** 31 - 1])
  })

  it('should permute: each of 0..n-1 exactly once', () => {
    fc.assert(
      fc.property(seeds, fc.nat(300), (seed, size) => {
        const order = permutation(key(seed), size)
        expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: size }, (_, i) => i))
      }),
    )
  })

  it('should make each of the 24 orders of four equally often over keys', () => {
    const counts = new Map<string, number>()
    for (const k of split(key(9), 24_000)) {
      const order = permutation(k, 4).join()
      counts.set(order, (counts.get(order) ?? 0) + 1)
    }
    expect(counts.size).toBe(24)
    expect(chiSquareUniform([...counts.values()])).toBeLessThan(chiSquareBound('orders equally often', 23))
  })

  it('should refuse counts and bounds that make no sense', () => {
    expect(() => normal(key(0), -1)).toThrow(/normal: count must be a non-negative integer, got -1/)
    expect(() => uniform(key(0), 1.5)).toThrow(/uniform: count/)
    expect(() => permutation(key(0), -1)).toThrow(/permutation: count/)
    expect(() => randint(key(0), 1, 3, 3)).toThrow(/randint: needs integers low < high/)
    expect(() => randint(key(0), 1, 0, 2 ** 32)).toThrow(/randint/)
  })
})
