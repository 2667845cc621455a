import { permutation } from '../../core/random/distributions.ts'
import { foldIn, key } from '../../core/random/key.ts'

/**
 * The ids of the batch at a training step: each epoch visits all ids once in its own random order, and a batch may span two
 * epochs. It depends on seed and step alone, so a resumed training sees the same batches.
 */
export const batchIds = (ids: ArrayLike<number>, o: { readonly seed: number; readonly step: number; readonly size: number }): number[] => {
  const root = foldIn(key(o.seed), 'batches')
  const orders = new Map<number, Int32Array>()
  return Array.from({ length: o.size }, (_, i) => {
    const position = o.step * o.size + i
    const epoch = Math.floor(position / ids.length)
    let order = orders.get(epoch)
    if (!order) {
      order = permutation(foldIn(root, epoch), ids.length)
      orders.set(epoch, order)
    }
    return ids[order[position % ids.length]!]!
  })
}
