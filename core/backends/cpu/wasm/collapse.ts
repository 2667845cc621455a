import type { CpuArray } from '../kernel.ts'

export const maximumRank = 16
export const maximumInputs = 16
/** The collapsed axes, innermost first, and each input's stride in elements along them: strides[k * maximumRank + axis]. */
export const sizes = new Int32Array(maximumRank)
export const strides = new Int32Array(maximumRank * maximumInputs)
const reach = new Int32Array(maximumInputs)

/**
 * Merges neighbouring axes over which every input keeps one stride, drops axes of size 1 and returns the number left (at
 * least 1), or 0 when an input does not broadcast to `shape`. Works in the fixed tables above: at 64 elements, making arrays would cost more than the computation.
 */
export const collapse = (inputs: readonly CpuArray[], shape: readonly number[]): number => {
  let rank = 0
  reach.fill(1)
  for (let axis = 1; axis <= shape.length; axis++) {
    const size = shape[shape.length - axis]!
    if (size === 1) continue
    let mergeable = rank > 0
    for (let k = 0; k < inputs.length; k++) {
      const own = inputs[k]!.shape
      const ownSize = axis <= own.length ? own[own.length - axis]! : 1
      if (ownSize !== 1 && ownSize !== size) return 0
      const stride = ownSize === 1 ? 0 : reach[k]!
      strides[k * maximumRank + rank] = stride
      reach[k] = reach[k]! * ownSize
      if (rank > 0 && stride !== strides[k * maximumRank + rank - 1]! * sizes[rank - 1]!) mergeable = false
    }
    if (mergeable) sizes[rank - 1] = sizes[rank - 1]! * size
    else sizes[rank++] = size
  }
  if (rank === 0) {
    sizes[0] = 1
    for (let k = 0; k < inputs.length; k++) strides[k * maximumRank] = 0
    return 1
  }
  return rank
}
