import { apply } from '../apply.ts'
import { defineOp } from '../op.ts'
import { formatShape, type Shape, ShapeError, sameShape } from '../shape.ts'
import type { Tensor } from '../tensor.ts'
import { type Conv2dAttributes, conv2d, conv2dShape, convCase, forEachTap } from './conv2d.ts'
import { conv2dInputGrad } from './conv2dInputGrad.ts'

export interface Conv2dWeightGradAttributes extends Conv2dAttributes {
  /** [out, in/groups, kh, kw]. */
  readonly weightShape: Shape
}

const weightGradOp = defineOp<Conv2dWeightGradAttributes>({
  name: 'conv2dWeightGrad',
  shape: ([x, dy], attributes) => {
    const expected = conv2dShape(x!, attributes.weightShape, attributes)
    if (!sameShape(dy!, expected)) {
      throw new ShapeError(
        `conv2dWeightGrad: the output gradient must be ${formatShape(expected)}, got ${formatShape(dy!)}; check weightShape`,
      )
    }
    return attributes.weightShape
  },
  define: ([x, dy], output, attributes) => {
    const total = new Float64Array(output.values.length)
    forEachTap(x!.shape, output.shape, attributes, (xi, wi, yi) => (total[wi]! += x!.values[xi]! * dy!.values[yi]!))
    output.values.set(total)
  },
  // Bilinear in x and dy: with u the gradient of the result, d/dx = conv2dInputGrad(dy, u) and d/d(dy) = conv2d(x, u).
  gradient: ({ inputs: [x, dy], attributes, outputGradient: u }) => [
    () => conv2dInputGrad(dy!, u, { ...attributes, inputShape: x!.shape }),
    () => conv2d(x!, u, { stride: attributes.stride[0], padding: attributes.padding, groups: attributes.groups }),
  ],
  domain: choose => {
    const { x, w, y, attributes } = convCase(choose)
    return { inputs: [{ shape: x }, { shape: y }], attributes: { ...attributes, weightShape: w } }
  },
})

/** Gradient of conv2d to its weight: the adjoint of w -> conv2d(x, w), applied to dy [batch,out,outHeight,outWidth]. */
export const conv2dWeightGrad = (x: Tensor, dy: Tensor, attributes: Conv2dWeightGradAttributes): Tensor =>
  apply(weightGradOp, [x, dy], attributes)
