import type { CpuKernel } from './kernel.ts'
import { directForward, directInputGrad, directWeightGrad } from './wasm/convDirect.ts'
import type { ConvGeometry } from './wasm/convPlan.ts'
import { isPointwise, pointwiseForward, pointwiseInputGrad, pointwiseWeightGrad } from './wasm/convPointwise.ts'
import { isExactArithmetic } from './wasm/link.ts'
import type { WinogradSize } from './wasm/winograd.ts'
import { winogradConvolution } from './wasm/winogradConvolution.ts'
import { tilesPerImage } from './wasm/winogradPlan.ts'
import { strided, stridedAdjoints } from './wasm/winogradStrided.ts'
import { F2, F4, type WinogradGradientVariant, type WinogradVariant } from './wasm/winogradTransform.ts'
import { winogradWeightGrad } from './wasm/winogradWeightGrad.ts'

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

export type WinogradMode = 'auto' | 'F4' | 'F2' | 'off'

let winograd: WinogradMode = 'auto'

/**
 * Sets how 3x3 convolutions with stride one or two are computed: 'auto' (as it is at first) takes what is fastest for the image's
 * size, 'F4' and 'F2' that variant wherever it applies (with stride two both mean the only one that there is), 'off' the
 * direct sum. Exact arithmetic always takes the direct sum.
 */
export const setWinograd = (mode: WinogradMode): void => {
  winograd = mode
}

/** The smallest image for which the direct sum is slower: below it most of a tile, or of four, lies outside. */
const smallest = 4
/** With fewer channels on either side the transforms cost as much as the multiplications they save. */
const winogradChannels = 4

/** Multiplications per pair of channels for an image, and those that transforming the filter for a single image is worth. */
const cost = ({ outputs, size }: WinogradVariant, height: number, width: number) =>
  (Math.max(4, Math.ceil(height / outputs) * Math.ceil(width / outputs)) + 4) * size ** 2

/**
 * Whether Winograd's algorithm applies. This and the variant depend on an image's sizes only and never on the batch, so that
 * neither do the bits.
 */
const isWinograd = (g: ConvGeometry, { padding }: Conv2dAttributes): boolean => {
  const kernel = g.kernelHeight === 3 && g.kernelWidth === 3 && g.strideY === g.strideX && g.strideX <= 2 && g.groups === 1
  const channels = winograd !== 'auto' || Math.min(g.inChannels, g.outChannels) >= winogradChannels
  return winograd !== 'off' && !isExactArithmetic() && kernel && channels && padding.every(pad => pad <= 2)
}

/** The variant for a result of these sizes and stride one. */
const plainVariant = (height: number, width: number): WinogradGradientVariant | undefined => {
  const least = Math.min(height, width)
  if (winograd !== 'auto') {
    const variant = winograd === 'F4' && least >= F4.outputs ? F4 : F2
    return least >= variant.outputs ? variant : undefined
  }
  if (least < smallest) return undefined
  return cost(F4, height, width) < cost(F2, height, width) ? F4 : F2
}

/** Whether tiles are used for a convolution with stride two: where they save multiplications, though a lone small image gains nothing. */
const isStridedByTiles = (g: ConvGeometry): boolean => {
  const least = Math.min(g.outHeight, g.outWidth)
  if (winograd !== 'auto') return least >= strided.outputs
  return least >= smallest && tilesPerImage(g, strided) * strided.size ** 2 < 9 * g.outHeight * g.outWidth
}

/** For the convolution and its weight gradient. */
const variantOf = (g: ConvGeometry, attributes: Conv2dAttributes): WinogradGradientVariant | undefined => {
  if (!isWinograd(g, attributes)) return undefined
  if (g.strideX === 1) return plainVariant(g.outHeight, g.outWidth)
  return isStridedByTiles(g) ? strided : undefined
}

/** For the input gradient, where with stride two the tiles of both axes must fall alike on the padding. */
const adjointVariantOf = (g: ConvGeometry, attributes: Conv2dAttributes): WinogradVariant | undefined => {
  if (!isWinograd(g, attributes)) return undefined
  if (g.strideX === 1) return plainVariant(g.height, g.width)
  const fits = [g.height, g.width].every(size => size >= 4 && size % 2 === 0) && g.padTop % 2 === g.padLeft % 2
  return fits && isStridedByTiles(g) ? stridedAdjoints[g.padTop % 2 === 0 ? 'even' : 'odd'] : undefined
}

const forwardSize = (g: ConvGeometry, images: number): WinogradSize => ({
  images,
  sources: g.inChannels,
  height: g.height,
  width: g.width,
  results: g.outChannels,
  outHeight: g.outHeight,
  outWidth: g.outWidth,
  top: g.padTop,
  left: g.padLeft,
})

/** How much of the padding before an axis of dy the first tile of dx needs: what completes it to two, or see winogradStrided.ts. */
const adjointPad = (pad: number, stride: number) => (stride === 1 ? 2 - pad : pad === 0 ? 1 : 0)

/** The adjoint is a correlation with the filters turned round. */
const adjointSize = (g: ConvGeometry, images: number): WinogradSize => ({
  images,
  sources: g.outChannels,
  height: g.outHeight,
  width: g.outWidth,
  results: g.inChannels,
  outHeight: g.height,
  outWidth: g.width,
  top: adjointPad(g.padTop, g.strideY),
  left: adjointPad(g.padLeft, g.strideX),
})

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
  const variant = variantOf(g, attributes)
  const operands = { source: x.pointer, weight: w.pointer, bias: bias?.pointer ?? 0, output: output.pointer }
  if (variant) winogradConvolution(heap, variant, forwardSize(g, x.shape[0]), operands, false)
  else (isPointwise(g) ? pointwiseForward : directForward)(heap, g, x.shape[0], operands)
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
  const variant = adjointVariantOf(g, attributes)
  const operands = { source: dy.pointer, weight: w.pointer, bias: 0, output: output.pointer }
  if (variant) winogradConvolution(heap, variant, adjointSize(g, dy.shape[0]), operands, true)
  else (isPointwise(g) ? pointwiseInputGrad : directInputGrad)(heap, g, dy.shape[0], operands)
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
  const variant = variantOf(g, attributes)
  const operands = { x: x.pointer, dy: dy.pointer, dw: output.pointer }
  if (variant) winogradWeightGrad(heap, variant, forwardSize(g, x.shape[0]), operands)
  else (isPointwise(g) ? pointwiseWeightGrad : directWeightGrad)(heap, g, x.shape[0], operands)
  return true
}
