import fc from 'fast-check'
import { eigs } from 'mathjs'
import { describe, expect, it } from 'vitest'
import { momentsOf } from '../../algorithms/linearAlgebra/moments.ts'
import { multiply, symmetricEigen, symmetricFunction } from '../../algorithms/linearAlgebra/symmetricEigen.ts'
import { expectAllNear } from '../support/numbers.ts'
import { realBetween } from '../support/realBetween.ts'

const value = realBetween(-3, 3)
/** X^T X of fewer or more rows than columns: singular or not. */
const gram = fc.tuple(fc.integer({ min: 1, max: 7 }), fc.integer({ min: 1, max: 9 })).chain(([n, rows]) =>
  fc.array(value, { minLength: n * rows, maxLength: n * rows }).map(x => ({
    n,
    matrix: Float64Array.from({ length: n * n }, (_, at) => {
      const [i, j] = [Math.floor(at / n), at % n]
      return Array.from({ length: rows }, (__, r) => x[r * n + i]! * x[r * n + j]!).reduce((sum, term) => sum + term, 0)
    }),
  })),
)
const identity = (n: number): number[] => Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0))

describe('symmetricEigen', () => {
  it('should give orthonormal vectors that rebuild the matrix, singular or not', () => {
    fc.assert(
      fc.property(gram, ({ n, matrix }) => {
        const eigen = symmetricEigen(matrix, n)
        const transposed = eigen.vectors.map((_, at) => eigen.vectors[(at % n) * n + Math.floor(at / n)]!)
        expectAllNear(multiply(eigen.vectors, transposed, n), identity(n), 1e-13)
        expectAllNear(
          symmetricFunction(eigen, l => l),
          matrix,
          1e-13,
        )
      }),
    )
  })

  it('should agree with another implementation on the eigenvalues, of any sign', () => {
    const matrix = [2, -1, 0.5, -1, -3, 4, 0.5, 4, 1]
    const rows = [0, 3, 6].map(first => matrix.slice(first, first + 3))
    const expected = eigs(rows).values as number[]
    expectAllNear(
      [...symmetricEigen(matrix, 3).values].sort((a, b) => a - b),
      [...expected].sort((a, b) => a - b),
      1e-12,
    )
  })

  it('should read the upper triangle alone', () => {
    // Zero first: a rotation there would make the rest symmetric.
    expect(symmetricEigen([2, 0, 0.5, 9, 3, 1, 8, 7, 4], 3)).toEqual(symmetricEigen([2, 0, 0.5, 0, 3, 1, 0.5, 1, 4], 3))
  })

  it('should refuse what is no finite matrix', () => {
    expect(() => symmetricEigen([1, 2, 3], 2)).toThrow('needs 2 x 2 finite elements, got 3')
    expect(() => symmetricEigen([1, 0, 0, Number.NaN], 2)).toThrow('finite')
  })
})

describe('momentsOf', () => {
  it('should be mean and unbiased covariance', () => {
    const { mean, covariance } = momentsOf([1, 10, 2, 20, 6, 0], 2)
    expectAllNear(mean, [3, 10], 1e-15)
    expectAllNear(covariance, [7, -20, -20, 100], 1e-15)
  })

  it('should refuse one row, parts of rows, and name the row that is not finite', () => {
    expect(() => momentsOf([1, 2], 2)).toThrow('two or more rows')
    expect(() => momentsOf([1, 2, 3], 2)).toThrow('two or more rows')
    expect(() => momentsOf([1, 2, 3, Number.NaN], 2)).toThrow('row 1 holds NaN')
  })
})
