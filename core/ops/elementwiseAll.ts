import { checkInputs } from '../apply.ts'
import type { Expr } from '../expr/expr.ts'
import { broadcastShapes } from '../shape.ts'
import { isTraced } from '../tape.ts'
import { makeTensor, type Tensor } from '../tensor.ts'
import { elementwise } from './elementwise.ts'

/** What each result is for one element, and the scalars that they share. */
export interface SeveralAttributes {
  readonly exprs: readonly Expr[]
  readonly params: readonly number[]
}

/**
 * Several elementwise functions of the same tensors, which are read once where the backend can write several arrays in one
 * pass. Their meaning and their gradients are those of `elementwise` for each expression; all results have the shape to which
 * the inputs broadcast, and without expressions there are none. Keep the expressions' objects: kernels are cached by them.
 *
 * @throws Error as `elementwise`
 */
export const elementwiseAll = (inputs: readonly Tensor[], { exprs, params }: SeveralAttributes): Tensor[] => {
  checkInputs('elementwiseAll', inputs)
  const { backend } = inputs[0]!
  const shape = broadcastShapes('elementwiseAll', ...inputs.map(input => input.shape))
  const together = isTraced(inputs) || exprs.length === 0 ? undefined : backend.runAll?.('elementwiseAll', inputs, { exprs, params }, shape)
  return together?.map(storage => makeTensor(backend, storage, shape)) ?? exprs.map(expr => elementwise(inputs, { expr, params }))
}
