import fc from 'fast-check'
import { multiply as product, sqrtm, trace } from 'mathjs'
import { describe, expect, it } from 'vitest'
import { fid, frechetDistance } from '../../../algorithms/evaluation/fid.ts'
import { type Moments, momentsOf } from '../../../algorithms/linearAlgebra/moments.ts'
import { expectNear } from '../../support/numbers.ts'
import { realBetween } from '../../support/realBetween.ts'

const value = realBetween(-2, 2)
const variance = realBetween(0, 4)
const vector = (n: number) => fc.array(value, { minLength: n, maxLength: n })
const dimension = 4

/** I - 2 v v^T / |v|^2 applied to each row: an orthogonal transform. */
const reflected = (rows: readonly number[], v: readonly number[]): number[] => {
  const norm2 = v.reduce((sum, x) => sum + x * x, 0) || 1
  return rows.map((x, at) => {
    const first = at - (at % dimension)
    const along = v.reduce((sum, component, i) => sum + component * rows[first + i]!, 0)
    return x - (2 * along * v[at % dimension]!) / norm2
  })
}
const featuresOf = (rows: number) => vector(rows * dimension)
const of = (values: readonly number[]) => ({ values, dimension })

/** Q diag(variances) Q^T with the reflection Q. */
const gaussianOf = (mean: readonly number[], variances: readonly number[], v: readonly number[]): Moments => {
  const columns = Array.from({ length: dimension }, (_, i) =>
    reflected(
      Array.from({ length: dimension }, (__, j) => Number(i === j)),
      v,
    ),
  )
  const covariance = Float64Array.from({ length: dimension ** 2 }, (_, at) => {
    const [i, j] = [Math.floor(at / dimension), at % dimension]
    return variances.reduce((sum, each, k) => sum + columns[k]![i]! * each * columns[k]![j]!, 0)
  })
  return { dimension, mean: Float64Array.from(mean), covariance }
}

describe('frechetDistance', () => {
  it('should be |m_a - m_b|^2 + sum (sqrt a - sqrt b)^2 for covariances with common axes, singular ones too', () => {
    const four = fc.array(variance, { minLength: dimension, maxLength: dimension })
    fc.assert(
      fc.property(vector(dimension), vector(dimension), four, four, vector(dimension), (m, n, a, b, axes) => {
        const expected = m.reduce((sum, x, i) => sum + (x - n[i]!) ** 2 + (Math.sqrt(a[i]!) - Math.sqrt(b[i]!)) ** 2, 0)
        expectNear(frechetDistance(gaussianOf(m, a, axes), gaussianOf(n, b, axes)), expected, 1e-6)
      }),
    )
  })

  it('should agree with the trace of the matrix square root of the product where axes differ', () => {
    const a = gaussianOf([0, 0, 0, 0], [1, 2, 3, 0.5], [1, 2, 0, -1])
    const b = gaussianOf([0, 0, 0, 0], [0.3, 1, 4, 2], [0, 1, 1, 3])
    const rows = ({ covariance }: Moments) => [0, 4, 8, 12].map(first => [...covariance.slice(first, first + 4)])
    const root = sqrtm(product(rows(a), rows(b)) as never) as unknown as number[][]
    const expected = trace(rows(a)) + trace(rows(b)) - 2 * (trace(root) as number)
    expectNear(frechetDistance(a, b), expected, 1e-9)
    expect(expected).toBeGreaterThan(0.1)
  })

  it('should refuse moments of different dimensions', () => {
    expect(() => frechetDistance(momentsOf([0, 1], 1), momentsOf([0, 1, 2, 3], 2))).toThrow('moments of 1 and 2 features')
  })
})

describe('fid', () => {
  it('should be 0 between a set and itself in any order, symmetric, and the same after an orthogonal transform', () => {
    fc.assert(
      fc.property(featuresOf(6), featuresOf(3), vector(dimension), (a, b, v) => {
        const shuffled = [...a.slice(dimension), ...a.slice(0, dimension)]
        expectNear(fid(of(a), of(shuffled)), 0, 1e-6)
        const distance = fid(of(a), of(b))
        expectNear(fid(of(b), of(a)), distance, 1e-6)
        expectNear(fid(of(reflected(a, v)), of(reflected(b, v))), distance, 1e-6)
      }),
    )
  })

  it('should be the same from few images of many features as from their covariances', () => {
    fc.assert(
      fc.property(featuresOf(3), featuresOf(6), featuresOf(2), (a, b, c) => {
        const covariances = (x: readonly number[], y: readonly number[]) =>
          frechetDistance(momentsOf(x, dimension), momentsOf(y, dimension))
        for (const [x, y] of [
          [a, b],
          [b, a],
          [c, a],
          [c, c],
        ] as const) {
          const expected = covariances(x, y)
          expectNear(fid(of(x), of(y)), expected, 1e-6 * (1 + expected))
        }
      }),
    )
  })

  it('should grow by the square of a shift', () => {
    const a = [1, 2, 0, 1, -1, 0.5, 2, 1, 0, 1, 1, 2]
    expectNear(fid(of(a), of(a.map(x => x + 3))), 4 * 9, 1e-6)
  })

  it('should refuse a value that is not finite, and a single image, however many features there are', () => {
    const two = [0, 1, 2, 3, 4, 5, 6, 7]
    for (const wide of [of(two), { values: two, dimension: 1 }]) {
      expect(() => fid({ ...wide, values: [...two.slice(0, 7), Number.NaN] }, wide)).toThrow('holds NaN')
      expect(() => fid({ ...wide, values: two.slice(0, wide.dimension) }, wide)).toThrow('two or more rows')
    }
  })
})
