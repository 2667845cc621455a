export interface SsimOptions {
  /** Side of the window in pixels; 11 as published. */
  readonly window?: number
  /** Deviation of the window's Gaussian weights in pixels; 1.5 as published. */
  readonly deviation?: number
}

/** Stabilise quotients of small numbers: C1 = (0.01 L)^2, C2 = (0.03 L)^2, for pixels of range L = 1. */
const C1 = 0.01 ** 2
const C2 = 0.03 ** 2

/**
 * Structural similarity of two images, pixels in [0,1]: the mean over channels and over all windows that lie inside the image of
 *
 *   (2 m_a m_b + C1) (2 cov_ab + C2) / ((m_a^2 + m_b^2 + C1) (var_a + var_b + C2))
 *
 * with Gaussian-weighted moments in each window. In [-1, 1]; 1 exactly for equal images. Symmetric.
 * a, b: [channels, height, width], row-major. Source: Wang et al., IEEE Transactions on Image Processing 13 (2004).
 * Throws RangeError when a window does not fit into the image, or the images differ in size.
 */
export const ssim = (
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  [channels, height, width]: readonly [number, number, number],
  { window = 11, deviation = 1.5 }: SsimOptions = {},
): number => {
  if (!(Number.isInteger(window) && window >= 1 && window <= Math.min(height, width) && deviation > 0)) {
    throw new RangeError(
      `ssim: a window of ${window} pixels with deviation ${deviation} does not fit into ${height} x ${width} images; take window 7 for 8 x 8`,
    )
  }
  if (a.length !== channels * height * width || b.length !== a.length) {
    throw new RangeError(`ssim: images of ${a.length} and ${b.length} values, expected ${channels * height * width}; give one image each`)
  }
  const weights = windowWeights(window, deviation)
  let total = 0
  let windows = 0
  for (let channel = 0; channel < channels; channel++) {
    for (let top = 0; top + window <= height; top++) {
      for (let left = 0; left + window <= width; left++) {
        let [meanA, meanB, aa, bb, ab] = [0, 0, 0, 0, 0]
        for (let row = 0; row < window; row++) {
          for (let column = 0; column < window; column++) {
            const weight = weights[row * window + column]!
            const at = (channel * height + top + row) * width + left + column
            const [pixelA, pixelB] = [a[at]!, b[at]!]
            meanA += weight * pixelA
            meanB += weight * pixelB
            aa += weight * pixelA * pixelA
            bb += weight * pixelB * pixelB
            ab += weight * pixelA * pixelB
          }
        }
        const luminance = (2 * meanA * meanB + C1) / (meanA ** 2 + meanB ** 2 + C1)
        const structure = (2 * (ab - meanA * meanB) + C2) / (aa - meanA ** 2 + (bb - meanB ** 2) + C2)
        total += luminance * structure
        windows++
      }
    }
  }
  return total / windows
}

const windowWeights = (window: number, deviation: number): Float64Array => {
  const axis = Array.from({ length: window }, (_, i) => Math.exp(-((i - (window - 1) / 2) ** 2) / (2 * deviation ** 2)))
  const total = axis.reduce((sum, weight) => sum + weight, 0)
  return Float64Array.from(axis.flatMap(row => axis.map(column => (row * column) / total ** 2)))
}
