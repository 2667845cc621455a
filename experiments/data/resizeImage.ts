import { roundHalfToEven } from '../../algorithms/purification/timesteps.ts'
import type { RgbImage } from './rgbImage.ts'

/** Weights are whole multiples of 2^-22, so that the sums are exact and the bytes those of Pillow. */
const FRACTION_BITS = 22

interface Taps {
  readonly first: number
  readonly weights: readonly number[]
}

/**
 * For each output position the inputs it is a mean of, with triangular weights: the width of the triangle is that of an
 * output pixel in input pixels, at least one, so that shrinking averages all inputs.
 */
const triangleTaps = (inputs: number, outputs: number): Taps[] => {
  const scale = inputs / outputs
  const reach = Math.max(scale, 1)
  return Array.from({ length: outputs }, (_, output) => {
    const centre = (output + 0.5) * scale
    const first = Math.max(0, Math.trunc(centre - reach + 0.5))
    const end = Math.min(inputs, Math.trunc(centre + reach + 0.5))
    const raw = Array.from({ length: end - first }, (_, i) => Math.max(0, 1 - Math.abs((first + i - centre + 0.5) / reach)))
    const total = raw.reduce((sum, weight) => sum + weight, 0)
    return { first, weights: raw.map(weight => Math.trunc(0.5 + (weight / total) * 2 ** FRACTION_BITS)) }
  })
}

const toByte = (sum: number): number => Math.min(255, Math.max(0, Math.floor((sum + 2 ** (FRACTION_BITS - 1)) / 2 ** FRACTION_BITS)))

/** Each row shortened or stretched to as many pixels as there are taps, and rows and columns exchanged. */
const resampleRowsTransposed = ({ width, height, data }: RgbImage, taps: readonly Taps[]): RgbImage => {
  const result = new Uint8Array(taps.length * height * 3)
  for (let row = 0; row < height; row++) {
    taps.forEach(({ first, weights }, column) => {
      for (let c = 0; c < 3; c++) {
        let sum = 0
        for (let i = 0; i < weights.length; i++) sum += weights[i]! * data[3 * (row * width + first + i) + c]!
        result[3 * (column * height + row) + c] = toByte(sum)
      }
    })
  }
  return { width: height, height: taps.length, data: result }
}

/**
 * Bilinear resampling with antialiasing, byte for byte as Pillow's `resize(size, BILINEAR)`, which torchvision's `Resize` calls:
 * rows first, then columns, rounded to bytes in between.
 * @throws RangeError unless the sides are whole numbers above 0
 */
export const resizeImage = (image: RgbImage, { width, height }: { readonly width: number; readonly height: number }): RgbImage => {
  if (!(Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0))
    throw new RangeError(`resizeImage: the sides must be whole numbers above 0, got ${width} x ${height}; give pixels`)
  if (width === image.width && height === image.height) return image
  return resampleRowsTransposed(resampleRowsTransposed(image, triangleTaps(image.width, width)), triangleTaps(image.height, height))
}

/** Resized so that the shorter side is `side`, the longer in proportion and rounded down, as torchvision's `Resize(side)`. */
export const resizeShorterSide = (image: RgbImage, side: number): RgbImage => {
  const longer = (length: number, shorter: number): number => Math.trunc((side * length) / shorter)
  return image.width <= image.height
    ? resizeImage(image, { width: side, height: longer(image.height, image.width) })
    : resizeImage(image, { width: longer(image.width, image.height), height: side })
}

/**
 * The square of this side in the middle, as torchvision's `CenterCrop`.
 * @throws RangeError when the image is smaller
 */
export const centreCrop = ({ width, height, data }: RgbImage, side: number): RgbImage => {
  if (!(side >= 1 && side <= Math.min(width, height)))
    throw new RangeError(`centreCrop: a square of ${side} pixels is not in an image of ${width} x ${height}; resize it first`)
  const [left, top] = [roundHalfToEven((width - side) / 2), roundHalfToEven((height - side) / 2)]
  const result = new Uint8Array(3 * side * side)
  for (let row = 0; row < side; row++) {
    const begin = 3 * ((top + row) * width + left)
    result.set(data.subarray(begin, begin + 3 * side), 3 * side * row)
  }
  return { width: side, height: side, data: result }
}
