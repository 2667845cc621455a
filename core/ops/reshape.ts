import { formatShape, type Shape, ShapeError, sizeOf } from '../shape.ts'
import { attachNode, isRecording, refuseTraced } from '../tape.ts'
import { alias, type Tensor } from '../tensor.ts'

/** The same elements in another shape, sharing memory. One length may be -1: what is left. Throws ShapeError. */
export const reshape = (x: Tensor, shape: Shape): Tensor => {
  const unknown = shape.indexOf(-1)
  const known = sizeOf(shape.filter((_, i) => i !== unknown))
  const target = unknown < 0 ? shape : shape.map((length, i) => (i === unknown ? x.size / known : length))
  if (sizeOf(target) !== x.size || target.some(length => !Number.isInteger(length) || length < 0)) {
    throw new ShapeError(
      `reshape: ${formatShape(x.shape)} has ${x.size} elements and cannot become ${formatShape(shape)}; choose lengths with that product`,
    )
  }
  refuseTraced('reshape', [x])
  const output = alias(x, [...target])
  if (isRecording() && x.node) attachNode(output, 'reshape', [x], dy => [() => reshape(dy, x.shape)])
  return output
}
