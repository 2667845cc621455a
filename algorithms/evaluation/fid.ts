import { type Moments, momentsOf } from '../linearAlgebra/moments.ts'
import { multiply, symmetricEigen, symmetricFunction } from '../linearAlgebra/symmetricEigen.ts'
import { type Features, fidOfFewImages } from './fidOfFewImages.ts'

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

/**
 * FID between two sets of images from features of any extractor, such as `createInceptionV3`. Biased upwards for few images:
 * compare only sets of equal size, and give the distance between two halves of the real images as the floor. Throws as momentsOf
 * and frechetDistance. With fewer images in either set than features it is computed from the images; the value is the same.
 * Deviations: the published number is over the 2,048 pooled features of one InceptionV3; with others it has no published counterpart.
 */
export const fid = (a: Features, b: Features): number => {
  const images = Math.min(a.values.length, b.values.length) / a.dimension
  return a.dimension === b.dimension && images < a.dimension
    ? fidOfFewImages(a, b)
    : frechetDistance(momentsOf(a.values, a.dimension), momentsOf(b.values, b.dimension))
}
