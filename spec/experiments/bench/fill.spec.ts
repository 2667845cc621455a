import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fill, fillParameter, meanAbsolute } from '../../../experiments/bench/fill.ts'
import { runs } from '../../support/replay.ts'

const momentsOf = (values: Float32Array): { mean: number; variance: number } => {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  return { mean, variance: values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length }
}

describe('fill', () => {
  it('should give the values that the Python contestant computes', () => {
    const hashes = [2440246417, 2932234571, 621130607, 2414984804]
    expect([...fill(4, 7)]).toEqual(hashes.map(hash => Math.fround(hash / 2 ** 32 - 0.5)))
    expect(fill(100_001, 3000)[100_000]).toBe(Math.fround(839213058 / 2 ** 32 - 0.5))
  })

  it('should be uniform on [-0.5, 0.5): 20,000 values, mean and variance within five standard errors (false failure below 1e-6)', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 3000 }), seed => {
        const values = fill(20_000, seed)
        const { mean, variance } = momentsOf(values)
        expect(values.every(value => value >= -0.5 && value <= 0.5)).toBe(true)
        expect(Math.abs(mean)).toBeLessThan(5 * Math.sqrt(1 / 12 / 20_000))
        expect(Math.abs(variance - 1 / 12)).toBeLessThan(5 * Math.sqrt(1 / 180 / 20_000))
      }),
      { numRuns: runs(20) },
    )
  })
})

describe('fillParameter', () => {
  it('should give filters variance 1 / fan-in, scales and variances values around 1, and the rest small ones', () => {
    expect(momentsOf(fillParameter('conv.weight', [64, 16, 3, 3], 1)).variance * 16 * 9).toBeCloseTo(1, 1)
    expect(momentsOf(fillParameter('norm.weight', [5000], 1)).mean).toBeCloseTo(1, 2)
    expect(momentsOf(fillParameter('bn.running_var', [5000], 1)).mean).toBeCloseTo(1, 2)
    expect(meanAbsolute(fillParameter('conv.bias', [5000], 1))).toBeCloseTo(0.05, 2)
  })
})
