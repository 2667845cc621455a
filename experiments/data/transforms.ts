import type { Draws } from '../../algorithms/randomness/draws.ts'

/** Images in host memory, as a data set holds them. */
export interface ImageBatch {
  /** [count, channels, height, width], row-major. */
  readonly values: Float32Array | Float64Array
  readonly shape: readonly [channels: number, height: number, width: number]
}

const sizeOf = ({ shape: [channels, height, width] }: ImageBatch): number => channels * height * width

const assertDraws = (operation: string, batch: ImageBatch, draws: Draws): void => {
  const count = batch.values.length / sizeOf(batch)
  if (draws.images.length !== count)
    throw new RangeError(`${operation}: ${count} images but draws for ${draws.images.length}; give draws.forImages(ids) one id per image`)
}

/** Each pixel from a place of the same image, or zero: `from(image, row, column)` gives the place, null for zero. */
const gather = (batch: ImageBatch, from: (image: number, row: number, column: number) => readonly [number, number] | null): ImageBatch => {
  const [channels, height, width] = batch.shape
  const values = new (batch.values.constructor as Float32ArrayConstructor)(batch.values.length)
  const plane = height * width
  const count = batch.values.length / (channels * plane)
  for (let image = 0; image < count; image++) {
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        const place = from(image, row, column)
        if (!place) continue
        for (let c = 0; c < channels; c++) {
          const begin = (image * channels + c) * plane
          values[begin + row * width + column] = batch.values[begin + place[0] * width + place[1]]!
        }
      }
    }
  }
  return { values, shape: batch.shape }
}

/** Mirrors each image left to right with probability 1/2, by its `augment` draw named `flip`. */
export const randomFlip = (batch: ImageBatch, draws: Draws): ImageBatch => {
  assertDraws('randomFlip', batch, draws)
  const flipped = draws.integers('augment', { low: 0, high: 2 }, { part: 'flip' })
  const last = batch.shape[2] - 1
  return gather(batch, (image, row, column) => [row, flipped[image] === 1 ? last - column : column])
}

/**
 * Pads each image with `padding` zeros on every side and cuts out a part of the old size at random, by its `augment` draws
 * named `cropTop` and `cropLeft`.
 */
export const randomCrop = (batch: ImageBatch, { padding }: { readonly padding: number }, draws: Draws): ImageBatch => {
  assertDraws('randomCrop', batch, draws)
  if (!Number.isInteger(padding) || padding < 0)
    throw new RangeError(`randomCrop: padding must be a whole number >= 0, got ${padding}; the usual is 4`)
  const range = { low: -padding, high: padding + 1 }
  const down = draws.integers('augment', range, { part: 'cropTop' })
  const right = draws.integers('augment', range, { part: 'cropLeft' })
  const [, height, width] = batch.shape
  return gather(batch, (image, row, column) => {
    const [y, x] = [row + down[image]!, column + right[image]!]
    return y >= 0 && y < height && x >= 0 && x < width ? [y, x] : null
  })
}

/** (pixel - mean) / std, per channel. Throws RangeError unless there is one of each per channel and deviations are positive. */
export const normalise = (
  batch: ImageBatch,
  { mean, std }: { readonly mean: readonly number[]; readonly std: readonly number[] },
): ImageBatch => {
  const [channels, height, width] = batch.shape
  if (mean.length !== channels || std.length !== channels || !std.every(deviation => deviation > 0)) {
    throw new RangeError(
      `normalise: ${channels} channels need as many means and positive deviations, got [${mean}] and [${std}]; give one per channel`,
    )
  }
  const channelOf = (i: number): number => Math.floor(i / (height * width)) % channels
  const values = batch.values.map((value, i) => (value - mean[channelOf(i)]!) / std[channelOf(i)]!)
  return { values, shape: batch.shape }
}
