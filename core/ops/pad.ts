import { apply } from '../apply.ts'
import { defineOp } from '../op.ts'
import { forEachIndex, formatShape, ShapeError, stridesOf } from '../shape.ts'
import type { Tensor } from '../tensor.ts'
import { slice } from './slice.ts'

export interface PadAttributes {
  /** Zeros before (after) the elements, per dimension. */
  readonly before: readonly number[]
  readonly after: readonly number[]
}

const padOp = defineOp<PadAttributes>({
  name: 'pad',
  shape: ([x], { before, after }) => {
    if (before.length !== x!.length || after.length !== x!.length || [...before, ...after].some(n => n < 0 || !Number.isInteger(n))) {
      throw new ShapeError(
        `pad: before [${before}] and after [${after}] do not fit shape ${formatShape(x!)}; give one count >= 0 per dimension`,
      )
    }
    return x!.map((n, i) => n + before[i]! + after[i]!)
  },
  define: ([x], output, { before }) => {
    output.values.fill(0)
    const strides = stridesOf(output.shape)
    forEachIndex(x!.shape, (index, position) => {
      let at = 0
      for (let d = 0; d < index.length; d++) at += (index[d]! + before[d]!) * strides[d]!
      output.values[at] = x!.values[position]!
    })
  },
  gradient: ({ inputs: [x], attributes: { before }, outputGradient }) => [() => slice(outputGradient, { starts: before, sizes: x!.shape })],
  domain: choose => {
    const shape = Array.from({ length: choose.integer(1, 4) }, () => choose.integer(1, 4))
    return {
      inputs: [{ shape }],
      attributes: { before: shape.map(() => choose.integer(0, 2)), after: shape.map(() => choose.integer(0, 2)) },
    }
  },
})

/** x surrounded by zeros. */
export const pad = (x: Tensor, { before, after }: PadAttributes): Tensor => apply(padOp, [x], { before: [...before], after: [...after] })
