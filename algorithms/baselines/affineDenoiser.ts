import { type Tensor, tensor } from '../../core/index.ts'
import type { Moments } from '../linearAlgebra/moments.ts'
import { symmetricEigen, symmetricFunction } from '../linearAlgebra/symmetricEigen.ts'

/** Estimates clean images from noisy ones, pixels in [0,1] before the noise: [batch, channels, height, width] to the same. */
export type Denoiser = (noisy: Tensor) => Tensor

/** The map y -> offset + matrix y of flat images; matrix is n x n, row-major. */
export interface Affine {
  readonly matrix: Float64Array
  readonly offset: Float64Array
}

/** What gives every image back as it is. */
export const identityAffine = (n: number): Affine => ({
  matrix: Float64Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0)),
  offset: new Float64Array(n),
})

/**
 * The affine map with the least expected squared error for images of mean mu and covariance C under noise N(0, sigma^2 I)
 * (Wiener's filter; for Gaussian images the conditional mean, so no denoiser at all is better):
 *
 *   xHat = mu + C (C + sigma^2 I)^-1 (y - mu) = mu + U diag(l / (l + sigma^2)) U^T (y - mu),   C = U diag(l) U^T
 *
 * It knows from the training images how pixels go together, and nothing of digits. sigma in the units of the moments.
 * Negative eigenvalues, which rounding makes of zeros, count as zero. Throws RangeError unless sigma > 0.
 */
export const linearMmse = ({ dimension, mean, covariance }: Moments, sigma: number): Affine => {
  if (!(sigma > 0)) throw new RangeError(`linearMmse: needs noise sigma > 0, got ${sigma}; without noise there is nothing to denoise`)
  const matrix = symmetricFunction(symmetricEigen(covariance, dimension), l => Math.max(0, l) / (Math.max(0, l) + sigma ** 2))
  const offset = mean.map((value, i) => {
    let kept = 0
    for (let j = 0; j < dimension; j++) kept += matrix[i * dimension + j]! * mean[j]!
    return value - kept
  })
  return { matrix, offset }
}

/**
 * E |A(x + sigma n) - x|^2 of an affine map A over images of the given moments, a sum over pixels:
 *
 *   tr((W - I) C (W - I)^T) + |(W - I) mu + b|^2 + sigma^2 |W|^2
 */
export const expectedSquaredError = ({ matrix, offset }: Affine, { dimension: n, mean, covariance }: Moments, sigma: number): number => {
  let total = 0
  for (let i = 0; i < n; i++) {
    const row = matrix.slice(i * n, (i + 1) * n)
    for (const w of row) total += sigma ** 2 * w ** 2
    row[i]! -= 1
    let bias = offset[i]!
    for (let j = 0; j < n; j++) {
      bias += row[j]! * mean[j]!
      for (let k = 0; k < n; k++) total += row[j]! * covariance[j * n + k]! * row[k]!
    }
    total += bias ** 2
  }
  return total
}

/** The affine map as a denoiser of images with as many values as its offset has. */
export const affineDenoiser = ({ matrix, offset }: Affine): Denoiser => {
  const n = offset.length
  const transposed = Float64Array.from(matrix, (_, i) => matrix[(i % n) * n + Math.floor(i / n)]!)
  return noisy => {
    if (noisy.size !== noisy.shape[0]! * n) {
      throw new RangeError(
        `affineDenoiser: made for images of ${n} values, got [${noisy.shape.slice(1)}]; make it from images of this shape`,
      )
    }
    return noisy
      .reshape([-1, n])
      .matmul(tensor(transposed, [n, n]))
      .add(tensor(offset, [1, n]))
      .reshape(noisy.shape)
  }
}
