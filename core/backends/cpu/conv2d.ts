import type { CpuKernel } from './kernel.ts'
import { directForward, directInputGrad, directWeightGrad } from './wasm/convDirect.ts'
import type { ConvGeometry } from './wasm/convPlan.ts'

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

const isEmpty = (...shapes: readonly Shape[]): boolean => shapes.some(shape => shape.includes(0))

/**
 * y: [B, Co, OH, OW] from x: [B, Ci, H, W], w: [Co, Ci / groups, kh, kw] and optionally bias: [Co]:
 * y[b, o, p] = bias[o] + sum over (c, k) of w[o, c, k] x[b, c, stride * p + k - padding].
 * The bits of an image do not depend on the other images of the batch.
 */
export const conv2d: CpuKernel<Conv2dAttributes> = (heap, [x, w, bias], output, attributes) => {
  if (isEmpty(x.shape, w.shape, output.shape)) return false
  const g = geometryOf(x.shape, w.shape, output.shape, attributes)
  directForward(heap, g, x.shape[0], { source: x.pointer, weight: w.pointer, bias: bias?.pointer ?? 0, output: output.pointer })
  return true
}

/** dx: [B, Ci, H, W] (`inputShape`) from dy: [B, Co, OH, OW] and w; the adjoint of `conv2d` in x. */
export const conv2dInputGrad: CpuKernel<Conv2dAttributes & { readonly inputShape: readonly number[] }> = (
  heap,
  [dy, w],
  output,
  attributes,
) => {
  if (isEmpty(dy.shape, w.shape, output.shape)) return false
  const g = geometryOf(attributes.inputShape, w.shape, dy.shape, attributes)
  directInputGrad(heap, g, dy.shape[0], { source: dy.pointer, weight: w.pointer, output: output.pointer })
  return true
}

/** dw: [Co, Ci / groups, kh, kw] (`weightShape`) from x and dy; the adjoint of `conv2d` in w, summed over the batch. */
export const conv2dWeightGrad: CpuKernel<Conv2dAttributes & { readonly weightShape: readonly number[] }> = (
  heap,
  [x, dy],
  output,
  attributes,
) => {
  if (isEmpty(x.shape, dy.shape, output.shape)) return false
  const g = geometryOf(x.shape, attributes.weightShape, dy.shape, attributes)
  directWeightGrad(heap, g, x.shape[0], { x: x.pointer, dy: dy.pointer, dw: output.pointer })
  return true
}
