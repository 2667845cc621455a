/** Labelled images in host memory. Image i is `images[i * c*h*w .. (i + 1) * c*h*w)`, channels first, row by row. */
export interface ImageDataset {
  /** [count, channels, height, width], pixels in [0, 1]. */
  readonly images: Float64Array | Float32Array
  /** [count], class indices from 0. */
  readonly labels: Int32Array
  readonly count: number
  /** [channels, height, width] */
  readonly shape: readonly [number, number, number]
}
