import { apply } from '../apply.ts'
import { defineOp } from '../op.ts'
import { formatShape, type Shape, ShapeError, sameShape } from '../shape.ts'
import type { Tensor } from '../tensor.ts'
import { type Conv2dAttributes, conv2d, conv2dShape, convCase, forEachTap } from './conv2d.ts'
import { conv2dWeightGrad } from './conv2dWeightGrad.ts'

export interface Conv2dInputGradAttributes extends Conv2dAttributes {
  /** [batch, channels, height, width] of the image. */
  readonly inputShape: Shape
}

/** conv2d again, with all the geometry of the attributes. */
const forward = (x: Tensor, w: Tensor, { stride, padding, groups }: Conv2dAttributes): Tensor =>
  conv2d(x, w, { stride: stride[0], padding, groups })

const inputGradOp = defineOp<Conv2dInputGradAttributes>({
  name: 'conv2dInputGrad',
  shape: ([dy, w], attributes) => {
    const expected = conv2dShape(attributes.inputShape, w!, attributes)
    if (!sameShape(dy!, expected)) {
      throw new ShapeError(
        `conv2dInputGrad: the output gradient must be ${formatShape(expected)}, got ${formatShape(dy!)}; check inputShape`,
      )
    }
    return attributes.inputShape
  },
  define: ([dy, w], output, attributes) => {
    const total = new Float64Array(output.values.length)
    forEachTap(output.shape, w!.shape, attributes, (xi, wi, yi) => (total[xi]! += dy!.values[yi]! * w!.values[wi]!))
    output.values.set(total)
  },
  // Bilinear in dy and w: with u the gradient of the result, d/d(dy) = conv2d(u, w) and d/dw = conv2dWeightGrad(u, dy).
  gradient: ({ inputs: [dy, w], attributes, outputGradient: u }) => [
    () => forward(u, w!, attributes),
    () => conv2dWeightGrad(u, dy!, { ...attributes, weightShape: w!.shape }),
  ],
  domain: choose => {
    const { x, w, y, attributes } = convCase(choose)
    return { inputs: [{ shape: y }, { shape: w }], attributes: { ...attributes, inputShape: x } }
  },
})

/** Gradient of conv2d to its image: the adjoint of x -> conv2d(x, w), applied to dy [batch,out,outHeight,outWidth]. */
export const conv2dInputGrad = (dy: Tensor, w: Tensor, attributes: Conv2dInputGradAttributes): Tensor =>
  apply(inputGradOp, [dy, w], attributes)
