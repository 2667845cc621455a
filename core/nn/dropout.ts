import { type Tensor, tensor } from '../index.ts'
import { uniform } from '../random/distributions.ts'
import type { Key } from '../random/key.ts'

/**
 * Sets each element to zero with the given probability and divides the others by 1 - probability (Srivastava et al. 2014).
 * The mask depends on the key alone; image i of a batch gets the same mask in a longer batch.
 * Throws when the probability is outside [0, 1).
 */
export const dropout = (x: Tensor, probability: number, key: Key): Tensor => {
  if (!(probability >= 0 && probability < 1)) {
    throw new RangeError(`dropout: probability ${probability} is outside [0, 1); choose the share of elements to drop`)
  }
  if (probability === 0) return x
  const kept = uniform(key, x.size).map(u => (u < probability ? 0 : 1 / (1 - probability)))
  return x.mul(tensor(kept, x.shape, { backend: x.backend }))
}
