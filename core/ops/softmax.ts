import { apply } from '../apply.ts'
import { defineOp } from '../op.ts'
import { formatShape, ShapeError, sameShape } from '../shape.ts'
import type { Tensor } from '../tensor.ts'

const lastAxis = (shape: readonly number[]): number => {
  if (shape.length === 0) throw new ShapeError('softmax: shape [] has no last dimension; give rank 1 or more')
  return shape[shape.length - 1]!
}

const softmaxOp = defineOp<null>({
  name: 'softmax',
  shape: ([x]) => {
    lastAxis(x!)
    return x!
  },
  define: ([x], output) => {
    const n = lastAxis(x!.shape)
    for (let row = 0; row < x!.values.length; row += n) {
      let top = -Infinity
      for (let i = 0; i < n; i++) top = Math.max(top, x!.values[row + i]!)
      let total = 0
      for (let i = 0; i < n; i++) total += Math.exp(x!.values[row + i]! - top)
      for (let i = 0; i < n; i++) output.values[row + i] = Math.exp(x!.values[row + i]! - top) / total
    }
  },
  gradient: ({ output, outputGradient }) => [() => softmaxInputGrad(output, outputGradient)],
  domain: choose => ({ inputs: [{ shape: rows(choose.integer(0, 2), choose.integer(1, 9)) }], attributes: null }),
})

const rows = (leading: number, n: number): number[] => [...Array.from({ length: leading }, (_, i) => i + 2), n]

const inputGradOp = defineOp<null>({
  name: 'softmaxInputGrad',
  shape: ([y, dy]) => {
    lastAxis(y!)
    if (!sameShape(y!, dy!)) {
      throw new ShapeError(`softmaxInputGrad: y is ${formatShape(y!)} but its gradient ${formatShape(dy!)}; make them equal`)
    }
    return y!
  },
  define: ([y, dy], output) => {
    const n = lastAxis(y!.shape)
    for (let row = 0; row < y!.values.length; row += n) {
      let dot = 0
      for (let i = 0; i < n; i++) dot += y!.values[row + i]! * dy!.values[row + i]!
      for (let i = 0; i < n; i++) output.values[row + i] = y!.values[row + i]! * (dy!.values[row + i]! - dot)
    }
  },
  // g = y (dy - <y, dy>): with u the gradient of g, d/dy = u (dy - <y,dy>) - dy <u, y> and d/d(dy) = y (u - <u, y>).
  gradient: ({ inputs: [y, dy], outputGradient: u }) => {
    const along = (a: Tensor, b: Tensor): Tensor => a.mul(b).sum([-1], { keepDims: true })
    return [() => u.mul(dy!.sub(along(y!, dy!))).sub(dy!.mul(along(u, y!))), () => softmaxInputGrad(y!, u)]
  },
  domain: choose => {
    const shape = rows(choose.integer(0, 2), choose.integer(1, 9))
    return { inputs: [{ shape }, { shape }], attributes: null }
  },
})

/** Gradient of softmax to its input, from its output y and dy: y (dy - <y, dy>) along the last dimension. */
const softmaxInputGrad = (y: Tensor, dy: Tensor): Tensor => apply(inputGradOp, [y, dy], null)

/** exp(x_i) / sum_j exp(x_j) along the last dimension, shifted by the maximum so that nothing overflows. */
export const softmax = (x: Tensor): Tensor => apply(softmaxOp, [x], null)

/** log softmax along the last dimension. */
export const logSoftmax = (x: Tensor): Tensor => {
  // Any shift leaves log softmax unchanged, so the gradients through the two uses of the maximum cancel.
  const shifted = x.sub(x.max([-1], { keepDims: true }))
  return shifted.sub(shifted.exp().sum([-1], { keepDims: true }).log())
}
