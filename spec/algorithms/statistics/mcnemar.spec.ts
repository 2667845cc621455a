import fc from 'fast-check'
import { bignumber, combinations } from 'mathjs'
import { describe, expect, it } from 'vitest'
import { discordantPairs, mcnemar } from '../../../algorithms/evaluation/statistics/mcnemar.ts'
import { runs } from '../../support/replay.ts'
import { binomialProbabilities } from './binomial.ts'

const count = fc.nat(400)

describe('mcnemar', () => {
  it('should be symmetric in the two defences (P66)', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), fc.boolean())), pairs => {
        const first = pairs.map(pair => pair[0])
        const second = pairs.map(pair => pair[1])
        const forth = mcnemar(discordantPairs(first, second))
        const back = mcnemar(discordantPairs(second, first))
        expect([back.exact, back.midP, back.onlyFirst, back.onlySecond]).toEqual([
          forth.exact,
          forth.midP,
          forth.onlySecond,
          forth.onlyFirst,
        ])
      }),
    )
  })

  it('should ignore concordant pairs', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), fc.boolean())), fc.array(fc.boolean()), (pairs, concordant) => {
        const all = [...pairs, ...concordant.map(right => [right, right] as const)]
        const test = (some: readonly (readonly [boolean, boolean])[]) =>
          mcnemar(
            discordantPairs(
              some.map(p => p[0]),
              some.map(p => p[1]),
            ),
          )
        expect(test(all)).toEqual(test(pairs))
      }),
    )
  })

  it('should equal the binomial sums of 64-digit arithmetic to 1e-11 relative', () => {
    fc.assert(
      fc.property(count, count, (onlyFirst, onlySecond) => {
        const n = onlyFirst + onlySecond
        const m = Math.min(onlyFirst, onlySecond)
        const half = bignumber(2).pow(n)
        const point = combinations(bignumber(n), bignumber(m))
        let tail = bignumber(0)
        for (let k = 0, term = bignumber(1); k <= m; k++) {
          tail = tail.add(term)
          term = term.mul(n - k).div(k + 1)
        }
        const { exact, midP } = mcnemar({ onlyFirst, onlySecond })
        const expectedExact = Math.min(1, tail.mul(2).div(half).toNumber())
        const expectedMidP = tail.mul(2).sub(point).div(half).toNumber()
        expect(Math.abs(exact / expectedExact - 1)).toBeLessThan(1e-11)
        expect(Math.abs(midP / expectedMidP - 1)).toBeLessThan(1e-11)
        expect(midP).toBeLessThanOrEqual(exact)
      }),
      { numRuns: runs(50) },
    )
  })

  it('should reject a true hypothesis at most as often as the level says (exact), and at most a little more (mid-p)', () => {
    for (const n of [5, 12, 40, 100]) {
      const probabilities = binomialProbabilities(n, 0.5)
      for (const level of [0.01, 0.05, 0.2]) {
        const rejected = (p: (b: number) => number) => probabilities.reduce((sum, weight, b) => sum + (p(b) <= level ? weight : 0), 0)
        expect(rejected(b => mcnemar({ onlyFirst: b, onlySecond: n - b }).exact)).toBeLessThanOrEqual(level)
        expect(rejected(b => mcnemar({ onlyFirst: b, onlySecond: n - b }).midP)).toBeLessThanOrEqual(1.3 * level)
      }
    }
  })

  it('should give 158/4096 for 10 against 2, and 1 where nothing or nobody differs', () => {
    expect(mcnemar({ onlyFirst: 10, onlySecond: 2 }).exact).toBeCloseTo(158 / 4096, 14)
    expect(mcnemar({ onlyFirst: 10, onlySecond: 2 }).midP).toBeCloseTo(92 / 4096, 14)
    expect(mcnemar({ onlyFirst: 0, onlySecond: 0 })).toMatchObject({ exact: 1, midP: 1 })
    expect(mcnemar({ onlyFirst: 7, onlySecond: 7 }).midP).toBeCloseTo(1, 14)
  })

  it('should refuse unpaired outcomes and impossible counts', () => {
    expect(() => discordantPairs([true], [])).toThrow(/mcnemar: outcomes must be paired, got 1 and 0/)
    expect(() => mcnemar({ onlyFirst: -1, onlySecond: 2 })).toThrow(/mcnemar: counts must be non-negative integers/)
  })
})
