import { meanOfRows } from '../linearAlgebra/moments.ts'
import { symmetricEigen } from '../linearAlgebra/symmetricEigen.ts'

/** Features of images as rows of `dimension` values each. */
export interface Features {
  readonly values: ArrayLike<number>
  readonly dimension: number
}

/** Features split into their mean and what each image differs from it. */
interface Centred {
  readonly images: number
  readonly dimension: number
  readonly mean: Float64Array
  /** [images, dimension], row-major. */
  readonly rows: Float64Array
}

const centre = ({ values, dimension }: Features): Centred => {
  const mean = meanOfRows(values, dimension)
  return {
    images: values.length / dimension,
    dimension,
    mean,
    rows: Float64Array.from(values, (value, i) => value - mean[i % dimension]!),
  }
}

/** tr C: the squares of the centred rows over N - 1. */
const covarianceTrace = ({ images, rows }: Centred): number => rows.reduce((sum, value) => sum + value * value, 0) / (images - 1)

/** A B^T of row-major A [m, n] and B [k, n]: all inner products of rows, [m, k]. */
const rowProducts = (a: Float64Array, b: Float64Array, n: number): Float64Array => {
  const [m, k] = [a.length / n, b.length / n]
  return Float64Array.from({ length: m * k }, (_, at) => {
    const [first, second] = [Math.floor(at / k) * n, (at % k) * n]
    let total = 0
    for (let i = 0; i < n; i++) total += a[first + i]! * b[second + i]!
    return total
  })
}

/**
 * tr (C_a^{1/2} C_b C_a^{1/2})^{1/2}: with centred rows A and B the sum of the singular values of A B^T over
 * sqrt((N_a - 1)(N_b - 1)), whose squares are the eigenvalues of (A B^T)(A B^T)^T. A is the smaller set.
 */
const crossTrace = (a: Centred, b: Centred): number => {
  if (a.images > b.images) return crossTrace(b, a)
  const cross = rowProducts(a.rows, b.rows, a.dimension)
  const squares = symmetricEigen(rowProducts(cross, cross, b.images), a.images).values
  return squares.reduce((sum, value) => sum + Math.sqrt(Math.max(0, value)), 0) / Math.sqrt((a.images - 1) * (b.images - 1))
}

/**
 * The Fréchet distance of `frechetDistance` between the Gaussians of two sets, from the images instead of the covariances: its
 * matrices are as large as the sets, [N_a, N_b] and [N_a, N_a], small where features outnumber images. Both sets have one
 * dimension. In [0, infinity): rounding below 0 becomes 0. Throws as meanOfRows.
 */
export const fidOfFewImages = (first: Features, second: Features): number => {
  const [a, b] = [centre(first), centre(second)]
  const shift = a.mean.reduce((sum, value, i) => sum + (value - b.mean[i]!) ** 2, 0)
  return Math.max(0, shift + covarianceTrace(a) + covarianceTrace(b) - 2 * crossTrace(a, b))
}
