import { ops, type Tensor } from '../index.ts'
import type { Scope } from './scope.ts'

export interface Conv2dLayerOptions {
  readonly stride?: number
  /** Zeros on every side, or [top, bottom, left, right]. Default: half the kernel, which keeps the size at stride 1. */
  readonly padding?: number | readonly [number, number, number, number]
}

/** Convolution by the layer's weight [out, in, kernel, kernel], plus its bias [out] if there is one. */
export const conv2dLayer = (x: Tensor, layer: Scope, { stride, padding }: Conv2dLayerOptions = {}): Tensor => {
  const weight = layer.get('weight')
  return ops.conv2d(x, weight, { bias: layer.find('bias'), stride, padding: padding ?? Math.floor(weight.shape[2]! / 2) })
}
