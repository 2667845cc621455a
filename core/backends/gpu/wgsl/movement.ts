import { constant } from '../../../expr/expr.ts'
import type { PadAttributes } from '../../../ops/pad.ts'
import { sizeOf, stridesOf } from '../../../shape.ts'
import type { DeviceArray } from '../device.ts'
import { mapViews } from './mapViews.ts'
import type { WgslKernel } from './wgslKernel.ts'

/** Each array is copied to its place in the result, so there may be any number of them. */
export const concat: WgslKernel<{ readonly axis: number }> = (device, inputs, output, { axis }) => {
  const strides = stridesOf(output)
  let start = 0
  let result: DeviceArray | undefined
  for (const { values, shape } of inputs) {
    const into = { values: result, length: sizeOf(output), strides, offset: start * strides[axis]! }
    result = mapViews(device, { shape, views: [{ values, strides: stridesOf(shape) }], into })
    if (!result) return undefined
    start += shape[axis]!
  }
  return result
}

/** Zeros, and then x in their midst. */
export const pad: WgslKernel<PadAttributes> = (device, [x], output, { before }) => {
  const { values, shape } = x!
  const zeros = mapViews(device, { shape: output, views: [], expr: constant(0) })
  const strides = stridesOf(output)
  const offset = before.reduce((total, n, axis) => total + n * strides[axis]!, 0)
  const views = [{ values, strides: stridesOf(shape) }]
  return zeros && mapViews(device, { shape, views, into: { values: zeros, length: sizeOf(output), strides, offset } })
}
