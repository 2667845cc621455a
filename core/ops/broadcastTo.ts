import { apply } from '../apply.ts'
import { defineOp } from '../op.ts'
import { broadcastStrides, forEachIndex, formatShape, type Shape, ShapeError, sameShape } from '../shape.ts'
import type { Tensor } from '../tensor.ts'
import { requireWholeNumber } from '../wholeNumber.ts'
import { sumTo } from './sum.ts'

const broadcastOp = defineOp<{ shape: Shape }>({
  name: 'broadcastTo',
  shape: ([x], { shape }) => {
    const skip = shape.length - x!.length
    if (skip < 0 || x!.some((length, i) => length !== 1 && length !== shape[i + skip])) {
      throw new ShapeError(`broadcastTo: ${formatShape(x!)} does not stretch to ${formatShape(shape)}; only lengths of 1 stretch`)
    }
    for (const length of shape) requireWholeNumber('broadcastTo', 'a length', length, 0)
    return shape
  },
  define: ([x], output) => {
    const strides = broadcastStrides(x!.shape, output.shape)
    forEachIndex(output.shape, (index, position) => {
      let at = 0
      for (let d = 0; d < index.length; d++) at += index[d]! * strides[d]!
      output.values[position] = x!.values[at]!
    })
  },
  // Copies add up.
  gradient: ({ inputs: [x], outputGradient }) => [() => sumTo(outputGradient, x!.shape)],
  domain: choose => {
    const shape = Array.from({ length: choose.integer(1, 4) }, () => choose.integer(1, 5))
    const own = shape.slice(choose.integer(0, shape.length)).map(length => (choose.integer(0, 1) === 0 ? 1 : length))
    return { inputs: [{ shape: own }], attributes: { shape } }
  },
})

/** x repeated along new leading dimensions and dimensions of length 1. */
export const broadcastTo = (x: Tensor, shape: Shape): Tensor =>
  sameShape(x.shape, shape) ? x : apply(broadcastOp, [x], { shape: [...shape] })
