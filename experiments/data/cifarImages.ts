import { FileError } from '../../core/io/fileError.ts'
import type { ImageDataset } from './imageDataset.ts'

/** Red, green and blue of a CIFAR image, row by row, one after another. */
export const CIFAR_PIXELS = 3 * 32 * 32

export interface CifarImages extends ImageDataset {
  /** float32, since the training set in float64 would need 1.2 GB. */
  readonly images: Float32Array
  readonly shape: readonly [3, 32, 32]
}

/** Images of one file: where in `bytes` image i begins, and its label. */
export interface CifarPart {
  readonly path: string
  readonly count: number
  readonly bytes: Uint8Array
  readonly pixelsAt: (image: number) => number
  readonly labelOf: (image: number) => number
}

/**
 * The images of several files as one data set, pixels scaled to [0, 1].
 * @param limit the first so many images only
 * @throws FileError when there are fewer
 */
export const joinCifar = (parts: readonly CifarPart[], limit?: number): CifarImages => {
  const available = parts.reduce((sum, { count }) => sum + count, 0)
  const count = limit ?? available
  if (!(Number.isInteger(count) && count >= 1 && count <= available)) {
    const paths = parts.map(({ path }) => path).join(', ')
    throw new FileError(paths, `${count} images wanted, ${available} there`, 'ask for fewer images or add files')
  }
  const images = new Float32Array(count * CIFAR_PIXELS)
  const labels = new Int32Array(count)
  let image = 0
  for (const part of parts) {
    for (let i = 0; i < part.count && image < count; i++, image++) {
      labels[image] = part.labelOf(i)
      const begin = part.pixelsAt(i)
      for (let p = 0; p < CIFAR_PIXELS; p++) images[image * CIFAR_PIXELS + p] = part.bytes[begin + p]! / 255
    }
  }
  return { images, labels, count, shape: [3, 32, 32] }
}
