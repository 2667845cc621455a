import { apply } from '../apply.ts'
import { defineOp } from '../op.ts'
import { forEachIndex, normalizeAxes, ShapeError, stridesOf } from '../shape.ts'
import type { Tensor } from '../tensor.ts'

const permuteOp = defineOp<{ axes: readonly number[] }>({
  name: 'permute',
  shape: ([x], { axes }) => {
    if (axes.length !== x!.length || normalizeAxes('permute', axes, x!.length).some((axis, i) => axis !== i)) {
      throw new ShapeError(`permute: axes [${axes}] are no permutation of rank ${x!.length}; name each of 0..${x!.length - 1} once`)
    }
    return axes.map(axis => x![axis]!)
  },
  define: ([x], output, { axes }) => {
    const strides = stridesOf(x!.shape)
    const own = axes.map(axis => strides[axis]!)
    forEachIndex(output.shape, (index, position) => {
      let at = 0
      for (let d = 0; d < index.length; d++) at += index[d]! * own[d]!
      output.values[position] = x!.values[at]!
    })
  },
  // The inverse permutation.
  gradient: ({ attributes: { axes }, outputGradient }) => [
    () =>
      permute(
        outputGradient,
        axes.map((_, i) => axes.indexOf(i)),
      ),
  ],
  domain: choose => {
    const shape = Array.from({ length: choose.integer(1, 5) }, () => choose.integer(1, 5))
    const left = shape.map((_, i) => i)
    const axes = shape.map(() => left.splice(choose.integer(0, left.length - 1), 1)[0]!)
    return { inputs: [{ shape }], attributes: { axes } }
  },
})

/** Dimension i of the result is dimension axes[i] of x. */
export const permute = (x: Tensor, axes: readonly number[]): Tensor => apply(permuteOp, [x], { axes: [...axes] })
