import type { ImageDataset } from './imageDataset.ts'

/**
 * The images of these numbers, in the order of the numbers, and their labels. Pixels are copied, as float64.
 * @throws RangeError when there is no image of a number
 */
export const imagesAt = (data: ImageDataset, ids: ArrayLike<number>): ImageDataset & { readonly images: Float64Array } => {
  const size = data.images.length / data.count
  const images = new Float64Array(ids.length * size)
  const labels = Int32Array.from(ids, (id, i) => {
    const label = data.labels[id]
    if (label === undefined)
      throw new RangeError(`imagesAt: there is no image ${id} among ${data.count}; use numbers from 0 to ${data.count - 1}`)
    images.set(data.images.subarray(id * size, (id + 1) * size), i * size)
    return label
  })
  return { ...data, images, labels, count: ids.length }
}
