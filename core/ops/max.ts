import { apply } from '../apply.ts'
import { defineOp } from '../op.ts'
import type { Tensor } from '../tensor.ts'
import { equal } from './comparison.ts'
import { accumulate, type ReduceAttributes, type ReduceOptions, reduceDomain, reducedShape, reduceWith } from './sum.ts'

const maxOp = defineOp<ReduceAttributes>({
  name: 'max',
  shape: ([x], { axes }) => reducedShape(x!, axes),
  define: ([x], output) => accumulate(x!, output, -Infinity, (total, value) => (value > total || Number.isNaN(value) ? value : total)),
  // 1 at the maximum, shared equally between ties.
  gradient: ({ inputs: [x], output, attributes: { axes }, outputGradient }) => [
    () => {
      const hit = equal(x!, output)
      return hit.mul(outputGradient.div(hit.sum([...axes], { keepDims: true })))
    },
  ],
  domain: reduceDomain,
})

/** Largest value over axes (default all). Ties share the gradient equally. */
export const max = (x: Tensor, options: ReduceOptions = {}): Tensor => reduceWith(x, options, 'max', axes => apply(maxOp, [x], { axes }))
