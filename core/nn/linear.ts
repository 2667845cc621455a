import { ops, type Tensor } from '../index.ts'
import type { Scope } from './scope.ts'

/** x W^T + b. x: [..., inputs]; layer: weight [outputs, inputs], bias [outputs] if there is one; result [..., outputs]. */
export const linear = (x: Tensor, layer: Scope): Tensor => {
  const product = ops.matmul(x, layer.get('weight'), { transposeB: true })
  const bias = layer.find('bias')
  return bias ? product.add(bias) : product
}
