import fc from 'fast-check'
import { fraction, number } from 'mathjs'
import { describe, expect, it } from 'vitest'
import { grim } from '../../../algorithms/evaluation/statistics/grim.ts'
import { runs } from '../../support/replay.ts'

describe('grim', () => {
  it('should accept what any k/n is printed as, at any precision, and name k among its counts (P66)', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20_000 }).chain(n => fc.tuple(fc.nat(n), fc.constant(n))),
        fc.nat(4),
        ([k, n], decimals) => {
          const { possible, counts } = grim(((100 * k) / n).toFixed(decimals), n)
          expect(possible).toBe(true)
          expect(counts).toContain(k)
        },
      ),
      { numRuns: runs(500) },
    )
  })

  it('should find exactly the counts that a search in rational arithmetic finds', () => {
    fc.assert(
      fc.property(fc.nat(130), fc.nat(99), fc.nat(2), fc.integer({ min: 1, max: 150 }), (whole, part, decimals, n) => {
        const printed = decimals === 0 ? `${whole}` : `${whole}.${String(part).padStart(2, '0').slice(0, decimals)}`
        const value = fraction(printed)
        const halfUnit = fraction(1, 2 * 10 ** decimals)
        const found = Array.from({ length: n + 1 }, (_, k) => k).filter(
          k =>
            number(
              fraction(100 * k, n)
                .sub(value)
                .abs()
                .compare(halfUnit),
            ) <= 0,
        )
        expect(grim(printed, n)).toEqual({ possible: found.length > 0, counts: found })
      }),
    )
  })

  it('should let a tie round both ways, and keep counts within 0..n', () => {
    expect([grim('12', 8).counts, grim('13', 8).counts]).toEqual([[1], [1]])
    expect(grim('0', 1000).counts).toEqual([0, 1, 2, 3, 4, 5])
    expect(grim('100', 1000).counts).toEqual([995, 996, 997, 998, 999, 1000])
  })

  it('should find the counts of 1,024 behind the verified accuracies of the paper, and reject a neighbour', () => {
    expect(['16.8', '47.27', '39.16', '51.46'].map(printed => grim(printed, 1024).counts)).toEqual([[172], [484], [401], [527]])
    expect(grim('47.28', 1024)).toEqual({ possible: false, counts: [] })
    expect(grim('50', 3)).toEqual({ possible: false, counts: [] })
  })

  it('should refuse what is not a printed percentage or a number of images', () => {
    for (const printed of ['', '-1', '47,27', '1e2', '47.', 'NaN']) expect(() => grim(printed, 10)).toThrow(/grim: needs a percentage/)
    for (const n of [0, 1.5, Number.NaN, 1e8]) expect(() => grim('50', n)).toThrow(/an integer n in \[1, 1e7\]/)
  })
})
