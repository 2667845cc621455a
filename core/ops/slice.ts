import { apply } from '../apply.ts'
import { defineOp } from '../op.ts'
import { forEachIndex, formatShape, ShapeError, stridesOf } from '../shape.ts'
import type { Tensor } from '../tensor.ts'
import { pad } from './pad.ts'

export interface SliceAttributes {
  /** First index per dimension. */
  readonly starts: readonly number[]
  /** Length per dimension. */
  readonly sizes: readonly number[]
}

const isCount = (n: number): boolean => Number.isInteger(n) && n >= 0

const sliceOp = defineOp<SliceAttributes>({
  name: 'slice',
  shape: ([x], { starts, sizes }) => {
    if (
      starts.length !== x!.length ||
      sizes.length !== x!.length ||
      x!.some((n, i) => !isCount(starts[i]!) || !isCount(sizes[i]!) || starts[i]! + sizes[i]! > n)
    ) {
      throw new ShapeError(
        `slice: starts [${starts}] with sizes [${sizes}] leave shape ${formatShape(x!)}; give one whole number of each per dimension, within it`,
      )
    }
    return sizes
  },
  define: ([x], output, { starts }) => {
    const strides = stridesOf(x!.shape)
    forEachIndex(output.shape, (index, position) => {
      let at = 0
      for (let d = 0; d < index.length; d++) at += (index[d]! + starts[d]!) * strides[d]!
      output.values[position] = x!.values[at]!
    })
  },
  // What was not taken gets zero.
  gradient: ({ inputs: [x], attributes: { starts, sizes }, outputGradient }) => [
    () => pad(outputGradient, { before: starts, after: x!.shape.map((n, i) => n - starts[i]! - sizes[i]!) }),
  ],
  domain: choose => {
    const shape = Array.from({ length: choose.integer(1, 4) }, () => choose.integer(1, 5))
    const starts = shape.map(n => choose.integer(0, n - 1))
    return { inputs: [{ shape }], attributes: { starts, sizes: shape.map((n, i) => choose.integer(1, n - starts[i]!)) } }
  },
})

/** The block of x that begins at `starts` and has lengths `sizes`. */
export const slice = (x: Tensor, { starts, sizes }: SliceAttributes): Tensor =>
  apply(sliceOp, [x], { starts: [...starts], sizes: [...sizes] })
