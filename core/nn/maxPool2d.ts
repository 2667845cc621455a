import { ops, ShapeError, type Tensor, tensor } from '../index.ts'
import { requireWholeNumber } from '../wholeNumber.ts'

export interface MaxPool2dOptions {
  /** Side of the square window. */
  readonly size: number
  /** Default: the size, so that windows do not overlap. */
  readonly stride?: number
  /** Rows and columns added on every side that never win. Default 0, at most half the size. */
  readonly padding?: number
}

/** The smallest float32: below every pixel, and finite so that no gradient becomes NaN. */
const LOWEST = -3.4028234663852886e38

/** Elements first, first + stride, ... along one axis, `count` of them. The axis is long enough for count * stride from first. */
const everyNth = (x: Tensor, axis: number, { first, stride, count }: { first: number; stride: number; count: number }): Tensor => {
  const before = x.shape.slice(0, axis)
  const after = x.shape.slice(axis + 1)
  const taken = x.slice(
    x.shape.map((_, d) => (d === axis ? first : 0)),
    x.shape.map((length, d) => (d === axis ? count * stride : length)),
  )
  const split = [...before, count, stride, ...after]
  return taken
    .reshape(split)
    .slice(
      split.map(() => 0),
      split.map((length, d) => (d === axis + 1 ? 1 : length)),
    )
    .reshape([...before, count, ...after])
}

/** x with `before` and `after` elements of the lowest value along one axis. */
const padLowest = (x: Tensor, axis: number, { before, after }: { before: number; after: number }): Tensor => {
  if (before + after === 0) return x
  const length = x.shape[axis]!
  const along = (value: number): number[] => x.shape.map((_, d) => (d === axis ? value : 0))
  const border = Float64Array.from({ length: before + length + after }, (_, i) => (i < before || i >= before + length ? LOWEST : 0))
  const mask = tensor(
    border,
    x.shape.map((_, d) => (d === axis ? border.length : 1)),
    { backend: x.backend },
  )
  return ops.pad(x, { before: along(before), after: along(after) }).add(mask)
}

/** The largest value of each window along one axis. */
const maxPoolAxis = (x: Tensor, axis: number, { size, stride, padding }: Required<MaxPool2dOptions>): Tensor => {
  const length = x.shape[axis]!
  const count = Math.floor((length + 2 * padding - size) / stride) + 1
  if (count < 1) throw new ShapeError(`maxPool2d: windows of ${size} do not fit into [${x.shape}] with padding ${padding}; pad more`)
  const needed = size - 1 + count * stride
  const padded = padLowest(x, axis, { before: padding, after: Math.max(0, needed - length - padding) })
  const windows = Array.from({ length: size }, (_, first) => everyNth(padded, axis, { first, stride, count }))
  return windows.reduce((largest, next) => ops.maximum(largest, next))
}

/**
 * The largest value of each size x size window, as PyTorch's `max_pool2d`: [B, C, H, W] to
 * [B, C, (H + 2 padding - size) / stride + 1, ...], rounded down. Rows first, then columns, which is the same maximum.
 *
 * Throws RangeError on a size, stride or padding that is no whole number and a padding above half the size, ShapeError when no window fits.
 * Deviations: of several equal largest values the last one gets the gradient, in PyTorch the first. After a relu ties are
 * zeros and have no gradient in either.
 */
export const maxPool2d = (x: Tensor, { size, stride = size, padding = 0 }: MaxPool2dOptions): Tensor => {
  if (x.rank !== 4) throw new ShapeError(`maxPool2d: x must be [batch,channels,height,width], got rank ${x.rank}; reshape it`)
  requireWholeNumber('maxPool2d', 'size', size, 1)
  requireWholeNumber('maxPool2d', 'stride', stride, 1)
  requireWholeNumber('maxPool2d', 'padding', padding, 0)
  if (2 * padding > size) throw new RangeError(`maxPool2d: padding ${padding} is not within half the window of ${size}; pad less`)
  return maxPoolAxis(maxPoolAxis(x, 2, { size, stride, padding }), 3, { size, stride, padding })
}
