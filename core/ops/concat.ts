import { apply } from '../apply.ts'
import { defineOp } from '../op.ts'
import { forEachIndex, formatShape, normalizeAxes, ShapeError, stridesOf } from '../shape.ts'
import type { Tensor } from '../tensor.ts'
import { slice } from './slice.ts'

const concatOp = defineOp<{ axis: number }>({
  name: 'concat',
  shape: (shapes, { axis }) => {
    const first = shapes[0]!
    normalizeAxes('concat', [axis], first.length)
    for (const shape of shapes) {
      if (shape.length !== first.length || shape.some((n, i) => i !== axis && n !== first[i])) {
        throw new ShapeError(
          `concat: shapes ${shapes.map(formatShape).join(', ')} differ outside axis ${axis}; make the other dimensions equal`,
        )
      }
    }
    return first.map((n, i) => (i === axis ? shapes.reduce((total, shape) => total + shape[axis]!, 0) : n))
  },
  define: (inputs, output, { axis }) => {
    const strides = stridesOf(output.shape)
    let offset = 0
    for (const x of inputs) {
      forEachIndex(x.shape, (index, position) => {
        let at = offset * strides[axis]!
        for (let d = 0; d < index.length; d++) at += index[d]! * strides[d]!
        output.values[at] = x.values[position]!
      })
      offset += x.shape[axis]!
    }
  },
  // Each input gets its own block back.
  gradient: ({ inputs, attributes: { axis }, outputGradient }) => {
    let offset = 0
    return inputs.map(x => {
      const starts = x.shape.map((_, i) => (i === axis ? offset : 0))
      offset += x.shape[axis]!
      return () => slice(outputGradient, { starts, sizes: x.shape })
    })
  },
  domain: choose => {
    const shape = Array.from({ length: choose.integer(1, 4) }, () => choose.integer(1, 4))
    const axis = choose.integer(0, shape.length - 1)
    const inputs = Array.from({ length: choose.integer(1, 3) }, () => ({
      shape: shape.map((n, i) => (i === axis ? choose.integer(1, 4) : n)),
    }))
    return { inputs, attributes: { axis } }
  },
})

/** The tensors one after another along `axis`; all other dimensions must be equal. */
export const concat = (tensors: readonly Tensor[], axis: number): Tensor => {
  if (tensors.length === 0) throw new ShapeError('concat: no tensors were given; give at least one')
  return apply(concatOp, tensors, { axis: normalizeAxes('concat', [axis], tensors[0]!.rank)[0]! })
}
