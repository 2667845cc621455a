import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { meanInterval } from '../../../algorithms/evaluation/statistics/meanInterval.ts'
import { wilson } from '../../../algorithms/evaluation/statistics/wilson.ts'
import { uniform } from '../../../core/random/distributions.ts'
import { foldIn, key } from '../../../core/random/key.ts'
import { standardErrors } from '../../support/falseFailures.ts'

const outcomes = fc
  .tuple(fc.integer({ min: 2, max: 40 }), fc.integer({ min: 1, max: 6 }))
  .chain(([images, draws]) =>
    fc.array(fc.array(fc.boolean(), { minLength: draws, maxLength: draws }), { minLength: images, maxLength: images }),
  )

describe('meanInterval', () => {
  it('should hold the mean of all outcomes, and not depend on the order of images or of draws', () => {
    fc.assert(
      fc.property(outcomes, table => {
        const interval = meanInterval(table)
        const flat = table.flat()
        expect(interval.estimate).toBeCloseTo(flat.filter(Boolean).length / flat.length, 12)
        expect(interval.low).toBeLessThanOrEqual(interval.estimate)
        expect(interval.high).toBeGreaterThanOrEqual(interval.estimate)
        const shuffled = meanInterval([...table].reverse().map(perImage => [...perImage].reverse()))
        for (const field of ['low', 'high', 'standardError'] as const) expect(shuffled[field]).toBeCloseTo(interval[field], 12)
      }),
    )
  })

  it('should gain nothing from repeating the same outcome for each image', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 2, maxLength: 60 }), fc.integer({ min: 2, max: 8 }), (perImage, copies) => {
        fc.pre(new Set(perImage).size === 2)
        const once = meanInterval(perImage.map(right => [right]))
        const copied = meanInterval(perImage.map(right => new Array<boolean>(copies).fill(right)))
        for (const field of ['low', 'high', 'standardError'] as const) expect(copied[field]).toBeCloseTo(once[field], 12)
      }),
    )
  })

  it('should have the standard error sqrt(m (1 - m) / (N - 1)) of a sample of coins for one draw per image', () => {
    const coins = Array.from({ length: 10 }, (_, i) => [i < 3])
    expect(meanInterval(coins).standardError).toBeCloseTo(Math.sqrt((0.3 * 0.7) / 9), 14)
  })

  it('should be as wide as the Wilson interval of the images where all outcomes agree', () => {
    const { low, high } = wilson(30, 30)
    expect(meanInterval(new Array(30).fill([true, true, true]))).toMatchObject({ estimate: 1, low, high, standardError: 0 })
  })

  // Images of accuracy 0.05, 0.5 or 0.95, 5 draws each: draws cluster strongly. 2,000 tables; sd of the coverage 0.5 points,
  // so a coverage of 95 % stays above 92.3 %. Counting the draws as independent covers about 72 %.
  it('should cover the true mean accuracy although the draws of one image are alike (P66)', () => {
    const [images, draws, tables] = [100, 5, 2000]
    let covered = 0
    let naive = 0
    for (let t = 0; t < tables; t++) {
      const u = uniform(foldIn(key(73), t), images * (draws + 1))
      const table = Array.from({ length: images }, (_, i) => {
        const accuracy = [0.05, 0.5, 0.95][Math.floor(3 * u[i]!)]!
        return Array.from({ length: draws }, (_, r) => u[images + i * draws + r]! < accuracy)
      })
      const { low, high } = meanInterval(table)
      if (low <= 0.5 && 0.5 <= high) covered++
      const independent = wilson(table.flat().filter(Boolean).length, images * draws)
      if (independent.low <= 0.5 && 0.5 <= independent.high) naive++
    }
    const bound = standardErrors('coverage of the mean interval (P66)') * Math.sqrt((0.95 * 0.05) / tables)
    expect(Math.abs(covered / tables - 0.95)).toBeLessThan(bound)
    expect(naive / tables).toBeLessThan(0.85)
  })

  it('should refuse a single image and unequal numbers of draws', () => {
    expect(() => meanInterval([[true]])).toThrow(/meanInterval: needs two images or more/)
    expect(() => meanInterval([[true], [true, false]])).toThrow(/got 2 images with 1 and 2 draws/)
    expect(() => meanInterval([[], []])).toThrow(/meanInterval/)
  })
})
