import { type SsimOptions, ssim } from './ssim.ts'

/** How far an image is from another; pixels in [0,1]. */
export interface ImageDistance {
  readonly l2: number
  readonly linf: number
  /** Peak signal-to-noise ratio in dB, -10 log10 of the mean squared error; Infinity for equal images. */
  readonly psnr: number
  /** Structural similarity, in [-1, 1]. */
  readonly ssim: number
}

/**
 * Distances of each image of a to the one of b in its place.
 * a, b: [images, channels, height, width], row-major; shape: [channels, height, width]. Throws RangeError when the sets differ in size.
 */
export const imageDistances = (
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  shape: readonly [number, number, number],
  options?: SsimOptions,
): ImageDistance[] => {
  const size = shape[0] * shape[1] * shape[2]
  if (a.length !== b.length || a.length % size !== 0) {
    throw new RangeError(`imageDistances: sets of ${a.length} and ${b.length} values, not pairs of images of ${size}; give equally many`)
  }
  return Array.from({ length: a.length / size }, (_, i) => {
    const [first, second] = [a, b].map(images => Float64Array.from({ length: size }, (_, j) => images[i * size + j]!)) as [
      Float64Array,
      Float64Array,
    ]
    let [squared, linf] = [0, 0]
    for (let j = 0; j < size; j++) {
      const apart = Math.abs(first[j]! - second[j]!)
      squared += apart ** 2
      linf = Math.max(linf, apart)
    }
    return { l2: Math.sqrt(squared), linf, psnr: -10 * Math.log10(squared / size), ssim: ssim(first, second, shape, options) }
  })
}
