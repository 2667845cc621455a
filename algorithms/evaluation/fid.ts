import { type Moments, momentsOf } from '../linearAlgebra/moments.ts'
import { multiply, symmetricEigen, symmetricFunction } from '../linearAlgebra/symmetricEigen.ts'

/**
 * Fréchet distance between two Gaussians, squared, as image quality is reported (Heusel et al. 2017, "FID"):
 *
 *   |m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a^{1/2} C_b C_a^{1/2})^{1/2})
 *
 * The last trace is the sum of the square roots of the eigenvalues, which are those of C_a C_b; this symmetric form keeps them
 * real, and singular covariances (fewer samples than features, features that are never active) need no correction.
 * In [0, infinity): rounding below 0 becomes 0. Of singular covariances the root leaves 1e-8 of the trace as error. Throws RangeError on moments of different dimensions.
 * Deviations: published scripts take the root of the product C_a C_b, add 1e-6 to its diagonal when it is singular, and drop an
 * imaginary part.
 */
export const frechetDistance = (a: Moments, b: Moments): number => {
  const n = a.dimension
  if (b.dimension !== n) {
    throw new RangeError(`frechetDistance: moments of ${n} and ${b.dimension} features; compute both with one extractor`)
  }
  const root = symmetricFunction(symmetricEigen(a.covariance, n), value => Math.sqrt(Math.max(0, value)))
  const inner = symmetricEigen(multiply(multiply(root, b.covariance, n), root, n), n).values
  let total = 0
  for (let i = 0; i < n; i++) {
    total += (a.mean[i]! - b.mean[i]!) ** 2 + a.covariance[i * n + i]! + b.covariance[i * n + i]! - 2 * Math.sqrt(Math.max(0, inner[i]!))
  }
  return Math.max(0, total)
}

/** Features of images as rows of `dimension` values each. */
export interface Features {
  readonly values: ArrayLike<number>
  readonly dimension: number
}

/** Rows less their mean. */
const centredRows = ({ values, dimension }: Features): Float64Array => {
  const count = values.length / dimension
  const mean = new Float64Array(dimension)
  for (let i = 0; i < values.length; i++) mean[i % dimension]! += values[i]! / count
  return Float64Array.from(values, (value, i) => value - mean[i % dimension]!)
}

/**
 * tr (C_a^{1/2} C_b C_a^{1/2})^{1/2} from the images instead of the covariances: with centred rows A and B it is the sum of the
 * singular values of A B^T over sqrt((N_a - 1)(N_b - 1)), an N_a x N_b matrix, small where features outnumber images.
 */
const crossTrace = (a: Features, b: Features): number => {
  const [few, many] = a.values.length <= b.values.length ? [a, b] : [b, a]
  const [rows, columns, n] = [few.values.length / few.dimension, many.values.length / many.dimension, few.dimension]
  const [x, y] = [centredRows(few), centredRows(many)]
  const product = new Float64Array(rows * columns)
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      let total = 0
      for (let k = 0; k < n; k++) total += x[i * n + k]! * y[j * n + k]!
      product[i * columns + j] = total / Math.sqrt((rows - 1) * (columns - 1))
    }
  }
  const gram = new Float64Array(rows * rows)
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < rows; j++) {
      for (let k = 0; k < columns; k++) gram[i * rows + j]! += product[i * columns + k]! * product[j * columns + k]!
    }
  }
  return symmetricEigen(gram, rows).values.reduce((sum, value) => sum + Math.sqrt(Math.max(0, value)), 0)
}

/** Sum of the squares of centred rows over N - 1: the trace of their covariance. */
const spread = (features: Features): number =>
  centredRows(features).reduce((sum, value) => sum + value * value, 0) / (features.values.length / features.dimension - 1)

const meanOf = ({ values, dimension }: Features): Float64Array => {
  const mean = new Float64Array(dimension)
  for (let i = 0; i < values.length; i++) mean[i % dimension]! += (values[i]! * dimension) / values.length
  return mean
}

/** The Fréchet distance of the two sets' Gaussians without forming their covariances. */
const fidOfFewImages = (a: Features, b: Features): number => {
  const [meanA, meanB] = [meanOf(a), meanOf(b)]
  const shift = meanA.reduce((sum, value, i) => sum + (value - meanB[i]!) ** 2, 0)
  return Math.max(0, shift + spread(a) + spread(b) - 2 * crossTrace(a, b))
}

/**
 * FID between two sets of images from features of any extractor, such as `createInceptionV3`. Biased upwards for few images:
 * compare only sets of equal size, and give the distance between two halves of the real images as the floor. Throws as momentsOf
 * and frechetDistance. With more features than images of either set it is computed from the images; the value is the same.
 * Deviations: the published number is over the 2,048 pooled features of one InceptionV3; with others it has no published counterpart.
 */
export const fid = (a: Features, b: Features): number => {
  const fewest = Math.min(a.values.length / a.dimension, b.values.length / b.dimension)
  const direct = a.dimension !== b.dimension || !(fewest >= 2) || !Number.isInteger(fewest) || a.dimension <= fewest
  return direct ? frechetDistance(momentsOf(a.values, a.dimension), momentsOf(b.values, b.dimension)) : fidOfFewImages(a, b)
}
