import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { inceptionScore } from '../../../algorithms/evaluation/inceptionScore.ts'
import { expectNear } from '../../support/numbers.ts'
import { realBetween } from '../../support/realBetween.ts'

const distribution = (classes: number) =>
  fc.array(realBetween(0, 1), { minLength: classes, maxLength: classes }).map(weights => {
    const total = weights.reduce((sum, weight) => sum + weight, 0)
    return total > 0 ? weights.map(weight => weight / total) : weights.map((_, i) => Number(i === 0))
  })
const rows = fc
  .integer({ min: 2, max: 6 })
  .chain(classes => fc.array(distribution(classes), { minLength: 1, maxLength: 8 }).map(list => ({ classes, values: list.flat() })))

describe('inceptionScore', () => {
  it('should lie in [1, classes]', () => {
    fc.assert(
      fc.property(rows, ({ classes, values }) => {
        const score = inceptionScore(values, classes)
        expect(score).toBeGreaterThanOrEqual(1)
        expect(score).toBeLessThanOrEqual(classes * (1 + 1e-12))
      }),
    )
  })

  it('should be k for certain answers spread evenly over k classes, and 1 for one answer to all', () => {
    const certain = (answers: readonly number[]) => answers.flatMap(answer => Array.from({ length: 5 }, (_, c) => Number(c === answer)))
    for (const k of [1, 2, 3, 5]) expectNear(inceptionScore(certain(Array.from({ length: 2 * k }, (_, i) => i % k)), 5), k, 1e-12)
    expectNear(inceptionScore([0.2, 0.8, 0.2, 0.8, 0.2, 0.8], 2), 1, 1e-12)
  })

  it('should be the exponential of the mean divergence from the marginal', () => {
    // KL of (0.9, 0.1) and (0.5, 0.5) from their mean (0.7, 0.3).
    const first = 0.9 * Math.log(0.9 / 0.7) + 0.1 * Math.log(0.1 / 0.3)
    const second = 0.5 * Math.log(0.5 / 0.7) + 0.5 * Math.log(0.5 / 0.3)
    expectNear(inceptionScore([0.9, 0.1, 0.5, 0.5], 2), Math.exp((first + second) / 2), 1e-12)
  })

  it('should average over consecutive splits of equal size', () => {
    const values = [1, 0, 0, 1, 1, 0, 1, 0, 0.5, 0.5]
    expectNear(inceptionScore(values, 2, { splits: 2 }), (2 + 1) / 2, 1e-12)
  })

  it('should refuse what is no distribution', () => {
    expect(() => inceptionScore([3, -1], 2)).toThrow('row 0 has the probability -1')
    expect(() => inceptionScore([1, 0, 0.5, 0.6], 2)).toThrow('row 1 sums to 1.1')
    expect(() => inceptionScore([1, 0, 1], 2)).toThrow('got 3 values')
    expect(() => inceptionScore([1, 0], 2, { splits: 2 })).toThrow('2 splits')
  })
})
