import type { CpuKernel } from './kernel.ts'
import { directForward, directInputGrad, directWeightGrad } from './wasm/convDirect.ts'
import type { ConvGeometry } from './wasm/convPlan.ts'
import { isExactArithmetic } from './wasm/link.ts'
import { type WinogradSize, winogradConvolution, winogradWeightGrad } from './wasm/winograd.ts'

export interface Conv2dAttributes {
  /** Vertical and horizontal stride. */
  readonly stride: readonly [number, number]
  /** Zeros added at [top, bottom, left, right]. */
  readonly padding: readonly [number, number, number, number]
  readonly groups: number
}

type Shape = readonly number[]

const geometryOf = (x: Shape, w: Shape, dy: Shape, { stride, padding, groups }: Conv2dAttributes): ConvGeometry => ({
  inChannels: x[1],
  height: x[2],
  width: x[3],
  outChannels: dy[1],
  outHeight: dy[2],
  outWidth: dy[3],
  kernelHeight: w[2],
  kernelWidth: w[3],
  strideY: stride[0],
  strideX: stride[1],
  padTop: padding[0],
  padLeft: padding[2],
  groups,
})

let winograd = true

/** Turns Winograd's algorithm on (as it is at first) or off; it is also off in exact arithmetic. */
export const setWinograd = (on: boolean): void => {
  winograd = on
}

/** With a single channel on either side the transforms cost as much as the multiplications they save. */
const winogradChannels = 2

/** The sizes for Winograd's algorithm where it applies and wins; never depends on the batch, nor do the bits of an image. */
const winogradSize = (g: ConvGeometry, batch: number, padding: Conv2dAttributes['padding']): WinogradSize | undefined => {
  const kernel = g.kernelHeight === 3 && g.kernelWidth === 3 && g.strideY === 1 && g.strideX === 1 && g.groups === 1
  const tiled = g.height % 4 === 0 && g.width % 4 === 0 && padding.every(pad => pad === 1)
  const wins = g.inChannels >= winogradChannels && g.outChannels >= winogradChannels
  return winograd && !isExactArithmetic() && kernel && tiled && wins ? { ...g, batch } : undefined
}

/** Empty arrays and cropping (negative padding) are left to the op's definition. */
const isCovered = ({ padding }: Conv2dAttributes, ...shapes: readonly Shape[]): boolean =>
  padding.every(pad => pad >= 0) && !shapes.some(shape => shape.includes(0))

/**
 * y: [B, Co, OH, OW] from x: [B, Ci, H, W], w: [Co, Ci / groups, kh, kw] and optionally bias: [Co]:
 * y[b, o, p] = bias[o] + sum over (c, k) of w[o, c, k] x[b, c, stride * p + k - padding].
 * The bits of an image do not depend on the other images of the batch.
 */
export const conv2d: CpuKernel<Conv2dAttributes> = (heap, [x, w, bias], output, attributes) => {
  if (!isCovered(attributes, x.shape, w.shape, output.shape)) return false
  const g = geometryOf(x.shape, w.shape, output.shape, attributes)
  const size = winogradSize(g, x.shape[0], attributes.padding)
  const operands = { source: x.pointer, weight: w.pointer, bias: bias?.pointer ?? 0 }
  if (size) winogradConvolution(heap, size, { ...operands, result: output.pointer, adjoint: false })
  else directForward(heap, g, x.shape[0], { ...operands, output: output.pointer })
  return true
}

/** dx: [B, Ci, H, W] (`inputShape`) from dy: [B, Co, OH, OW] and w; the adjoint of `conv2d` in x. */
export const conv2dInputGrad: CpuKernel<Conv2dAttributes & { readonly inputShape: readonly number[] }> = (
  heap,
  [dy, w],
  output,
  attributes,
) => {
  if (!isCovered(attributes, dy.shape, w.shape, output.shape)) return false
  const g = geometryOf(attributes.inputShape, w.shape, dy.shape, attributes)
  const size = winogradSize(g, dy.shape[0], attributes.padding)
  const operands = { source: dy.pointer, weight: w.pointer }
  if (size) winogradConvolution(heap, size, { ...operands, bias: 0, result: output.pointer, adjoint: true })
  else directInputGrad(heap, g, dy.shape[0], { ...operands, output: output.pointer })
  return true
}

/** dw: [Co, Ci / groups, kh, kw] (`weightShape`) from x and dy; the adjoint of `conv2d` in w, summed over the batch. */
export const conv2dWeightGrad: CpuKernel<Conv2dAttributes & { readonly weightShape: readonly number[] }> = (
  heap,
  [x, dy],
  output,
  attributes,
) => {
  if (!isCovered(attributes, x.shape, dy.shape, output.shape)) return false
  const g = geometryOf(x.shape, attributes.weightShape, dy.shape, attributes)
  const size = winogradSize(g, x.shape[0], attributes.padding)
  const operands = { x: x.pointer, dy: dy.pointer, dw: output.pointer }
  if (size && g.inChannels % 8 === 0 && g.outChannels % 4 === 0) winogradWeightGrad(heap, size, operands)
  else directWeightGrad(heap, g, x.shape[0], operands)
  return true
}
