import type { FusibleStorage, Leaf } from '../fusion/deferred.ts'
import { createFusion, type Fusion } from '../fusion/fusion.ts'
import type { Heap } from './heap.ts'
import type { CpuArray } from './kernel.ts'
import { type HeapStorage, heapStorage } from './storage.ts'
import { maximumRank } from './wasm/collapse.ts'
import { elementwiseAll } from './wasm/elementwise.ts'

const pointerOf = (storage: FusibleStorage): number => (storage as HeapStorage).pointer

/** Leaves with their intermediate values should fit into the vector registers; dearer expressions are computed once instead of by each reader. */
const limits = { leaves: 8, params: 32, rank: maximumRank, cost: 8 }

/**
 * Fusion in the heap. The bits are those of the unfused ops: each operation rounds to float32 on its own, fused or not.
 *
 * The kernel writes whole vectors: a deferred array takes a leaf's memory over only where what is written past the end of a row
 * is not what is still to be read.
 */
export const createCpuFusion = (heap: Heap): Fusion => {
  const arrayOf = ({ storage, shape }: Leaf): CpuArray => ({ pointer: pointerOf(storage), shape, dtype: 'float32' })
  return createFusion({
    limits,
    create: size => heapStorage(0, size, 'float32'),
    accepts: () => true,
    mayReplace: (storage, leaf) => {
      const { leaves, shape } = storage.deferred!
      return leaf.size === storage.size && (shape.at(-1)! % 4 === 0 || leaves.every(l => l.storage.size === storage.size))
    },
    compute: ({ name, exprs, leaves, params, shape, results }, heirs) => {
      const pointers = heirs.map(pointerOf)
      try {
        for (const { size } of results.slice(heirs.length)) pointers.push(heap.allocate(4 * size, name))
        const outputs = pointers.map((pointer): CpuArray => ({ pointer, shape, dtype: 'float32' }))
        elementwiseAll(heap, leaves.map(arrayOf), outputs, { exprs, params })
      } catch (error) {
        for (const pointer of pointers.slice(heirs.length)) heap.free(pointer)
        throw error
      }
      for (const [i, pointer] of pointers.entries()) (results[i] as HeapStorage).pointer = pointer
    },
    free: storage => heap.free(pointerOf(storage)),
  })
}
