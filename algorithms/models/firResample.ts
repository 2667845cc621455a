import { ops, ShapeError, type Tensor, tensor } from '../../core/index.ts'
import { avgPool2d, upsampleNearest2x } from '../../core/nn/index.ts'

/** Taps of a finite impulse response filter along one axis; the filter is their outer product, scaled to sum 1. */
export type Taps = readonly number[]

const isBox = (taps: Taps): boolean => taps.length === 2 && taps[0] === taps[1]

/** The filter as a convolution weight [1, 1, n, n]. Flipped, because conv2d correlates. */
const filterOf = (taps: Taps, gain: number): Tensor => {
  if (taps.length < 2) throw new ShapeError(`firResample: a filter needs two or more taps, got [${taps}]; use [1,1] for plain averaging`)
  const total = taps.reduce((sum, tap) => sum + tap, 0)
  const flipped = [...taps].reverse().map(tap => tap / total)
  return tensor(
    flipped.flatMap(row => flipped.map(column => gain * row * column)),
    [1, 1, taps.length, taps.length],
  )
}

type Padding = readonly [before: number, after: number]

/** Filters every channel by itself. x: [batch, channels, height, width]. */
const filtered = (x: Tensor, filter: Tensor, { padding: [before, after], stride = 1 }: { padding: Padding; stride?: number }): Tensor => {
  const [batch, channels, height, width] = x.shape as [number, number, number, number]
  const planes = ops.conv2d(x.reshape([batch * channels, 1, height, width]), filter, { stride, padding: [before, after, before, after] })
  return planes.reshape([batch, channels, planes.shape[2]!, planes.shape[3]!])
}

/** A zero after every pixel, downwards and to the right: [B, C, H, W] to [B, C, 2H, 2W]. */
const zerosBetween = (x: Tensor): Tensor => {
  const [batch, channels, height, width] = x.shape as [number, number, number, number]
  return ops
    .pad(x.reshape([batch * channels, height, 1, width, 1]), { before: [0, 0, 0, 0, 0], after: [0, 0, 1, 0, 1] })
    .reshape([batch, channels, 2 * height, 2 * width])
}

/** Padding that halves or keeps a side of even length, the middle of the filter staying over the pixels. */
const around = (extra: number): Padding => [Math.floor((extra + 1) / 2), Math.floor(extra / 2)]

/**
 * Half the size, low-passed by the filter first (upfirdn2d of Karras et al. 2020, StyleGAN2). Taps [1,1] are average pooling.
 * x: [batch, channels, height, width] with even sides. Outside the image are zeros.
 */
export const downsampleFir = (x: Tensor, taps: Taps): Tensor =>
  isBox(taps) ? avgPool2d(x, 2) : filtered(x, filterOf(taps, 1), { padding: around(taps.length - 2), stride: 2 })

/** Twice the size, interpolated by the filter, whose gain 4 makes up for the zeros between pixels. Taps [1,1] repeat every pixel. */
export const upsampleFir = (x: Tensor, taps: Taps): Tensor => {
  if (isBox(taps)) return upsampleNearest2x(x)
  const [before, after] = around(taps.length - 2)
  return filtered(zerosBetween(x), filterOf(taps, 4), { padding: [before + 1, after] })
}

/** The filter, then a convolution of stride 2, padded once for both: [B, in, H, W] by weight [out, in, n, n] to [B, out, H/2, W/2]. */
export const downsampleConvFir = (x: Tensor, weight: Tensor, { taps, bias }: { taps: Taps; bias?: Tensor | undefined }): Tensor => {
  const padding = around(taps.length - 2 + weight.shape[2]! - 1)
  return ops.conv2d(filtered(x, filterOf(taps, 1), { padding }), weight, { bias, stride: 2 })
}

/** A transposed convolution of stride 2, then the filter with gain 4: [B, in, H, W] by weight [out, in, n, n] to [B, out, 2H, 2W]. */
export const upsampleConvFir = (x: Tensor, weight: Tensor, { taps, bias }: { taps: Taps; bias?: Tensor | undefined }): Tensor => {
  const reach = weight.shape[2]! - 1
  const wide = ops.conv2d(zerosBetween(x), weight, { padding: [reach, reach - 1, reach, reach - 1] })
  const extra = taps.length - 2 - reach
  const output = filtered(wide, filterOf(taps, 4), { padding: [Math.floor((extra + 1) / 2) + 1, Math.floor(extra / 2) + 1] })
  return bias ? output.add(bias.reshape([1, bias.size, 1, 1])) : output
}
