import { ShapeError, type Tensor } from '../index.ts'
import { requireWholeNumber } from '../wholeNumber.ts'

const sidesOf = (operation: string, x: Tensor): [number, number, number, number] => {
  if (x.rank !== 4) throw new ShapeError(`${operation}: x must be [batch,channels,height,width], got rank ${x.rank}; reshape it`)
  return x.shape as unknown as [number, number, number, number]
}

/** Nearest-neighbour enlargement by two: every pixel becomes a 2x2 block. [B, C, H, W] to [B, C, 2H, 2W]. */
export const upsampleNearest2x = (x: Tensor): Tensor => {
  const [batch, channels, height, width] = sidesOf('upsampleNearest2x', x)
  return x
    .reshape([batch * channels, height, 1, width, 1])
    .broadcastTo([batch * channels, height, 2, width, 2])
    .reshape([batch, channels, 2 * height, 2 * width])
}

/**
 * Mean over disjoint size x size windows, [B, C, H, W] to [B, C, H/size, W/size].
 * Throws ShapeError when the size does not divide height and width, RangeError when it is no whole number.
 */
export const avgPool2d = (x: Tensor, size: number): Tensor => {
  const [batch, channels, height, width] = sidesOf('avgPool2d', x)
  requireWholeNumber('avgPool2d', 'size', size, 1)
  if (height % size !== 0 || width % size !== 0) {
    throw new ShapeError(`avgPool2d: windows of ${size} do not tile ${height}x${width}; choose a common divisor`)
  }
  return x
    .reshape([batch * channels, height / size, size, width / size, size])
    .mean([2, 4])
    .reshape([batch, channels, height / size, width / size])
}
