import { FileError } from '../../core/io/fileError.ts'
import { readIdx } from './idx.ts'
import type { ImageDataset } from './imageDataset.ts'

const LARGEST_LABEL = 9

export interface Mnist extends ImageDataset {
  readonly images: Float32Array
  readonly shape: readonly [1, number, number]
}

/**
 * MNIST, or data in its format such as Fashion-MNIST: one idx file of images [count, height, width] and one of labels
 * [count], plain or gzipped. Pixels are scaled to [0, 1].
 *
 * @param options.limit read the first `limit` images only (all by default)
 * @throws FileError when a file is no idx file, they do not belong together, a label is above 9, or there are too few images
 */
export const loadMnist = (
  files: { readonly images: string; readonly labels: string },
  { limit }: { readonly limit?: number | undefined } = {},
): Mnist => {
  const images = readIdx(files.images)
  const labels = readIdx(files.labels)
  const [available, height, width] = images.shape as [number, number, number]
  if (images.shape.length !== 3)
    throw new FileError(files.images, `images must be [count,height,width], got [${images.shape}]`, 'give the file of images first')
  if (labels.shape.length !== 1 || labels.shape[0] !== available)
    throw new FileError(files.labels, `labels must be [${available}], got [${labels.shape}]`, 'give the labels of these images')
  const wrong = labels.values.findIndex(label => label > LARGEST_LABEL)
  if (wrong >= 0)
    throw new FileError(files.labels, `label ${wrong} is ${labels.values[wrong]}, expected 0..${LARGEST_LABEL}`, 'fetch it again')
  const count = limit ?? available
  if (!(Number.isInteger(count) && count >= 1 && count <= available))
    throw new FileError(files.images, `${count} images wanted, ${available} there`, 'ask for fewer images')
  return {
    images: Float32Array.from(images.values.subarray(0, count * height * width), pixel => pixel / 255),
    labels: Int32Array.from(labels.values.subarray(0, count)),
    count,
    shape: [1, height, width],
  }
}
