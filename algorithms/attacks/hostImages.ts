import { type Tensor, tensor } from '../../core/index.ts'

/** Attacks that move single pixels work on the host, in float64: one flat array per image. */

/** The images of a flat batch. */
export const splitImages = (values: ArrayLike<number>, batch: number): Float64Array[] => {
  const flat = Float64Array.from(values)
  const size = flat.length / batch
  return Array.from({ length: batch }, (_, i) => flat.slice(i * size, (i + 1) * size))
}

/** x: [batch, ...]. */
export const hostImages = async (x: Tensor): Promise<Float64Array[]> => splitImages(await x.data(), x.shape[0]!)

export const uploadImages = (images: readonly Float64Array[], shape: readonly number[]): Tensor => {
  const values = new Float64Array(images.reduce((size, image) => size + image.length, 0))
  let next = 0
  for (const image of images) {
    values.set(image, next)
    next += image.length
  }
  return tensor(values, shape)
}
