import { ops, ShapeError, type Tensor } from '../index.ts'

/**
 * Scaled dot-product attention (Vaswani et al. 2017) over positions, channels first so that images need no transposition:
 * per head, V softmax(Q^T K / sqrt(d))^T with d channels per head.
 *
 * query, key, value: [batch, channels, positions], heads being consecutive blocks of channels; result the same.
 * Throws ShapeError when the heads do not divide the channels.
 */
export const attention = (query: Tensor, key: Tensor, value: Tensor, { heads = 1 }: { readonly heads?: number } = {}): Tensor => {
  const [batch, channels, positions] = query.shape as [number, number, number]
  const perHead = channels / heads
  if (!Number.isInteger(perHead)) throw new ShapeError(`attention: ${heads} heads do not divide ${channels} channels; choose a divisor`)
  const split = (x: Tensor): Tensor => x.reshape([batch * heads, perHead, -1])
  const scores = ops.matmul(split(query.mul(1 / Math.sqrt(perHead))), split(key), { transposeA: true })
  return ops.matmul(split(value), ops.softmax(scores), { transposeB: true }).reshape([batch, channels, positions])
}
