import type { DType } from '../backend.ts'
import type { FusibleStorage } from '../fusion/deferred.ts'

/** Memory of one array in the heap. */
export interface HeapStorage extends FusibleStorage {
  /** Byte address; 0 while it is deferred. */
  pointer: number
}

export const heapStorage = (pointer: number, size: number, dtype: DType): HeapStorage => ({
  pointer,
  size,
  dtype,
  references: 1,
  deferred: undefined,
  readers: undefined,
})
