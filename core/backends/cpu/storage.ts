import type { InternedExpr } from '../../expr/intern.ts'
import type { DType, Storage } from '../backend.ts'

/** An elementwise computation that waits: the expression, what it reads, and what to call it in an error. */
export interface Deferred {
  readonly name: string
  readonly expr: InternedExpr
  readonly leaves: readonly Leaf[]
  readonly params: readonly number[]
  readonly shape: readonly number[]
}

/** An array a deferred computation reads, which itself is computed. */
export interface Leaf {
  readonly storage: HeapStorage
  readonly shape: readonly number[]
}

/** Memory of one array in the heap. */
export interface HeapStorage extends Storage {
  /** Byte address; 0 while it is deferred. */
  pointer: number
  readonly size: number
  deferred: Deferred | undefined
  /** The deferred arrays that read this one. */
  readers: Set<HeapStorage> | undefined
}

export const heapStorage = (pointer: number, size: number, dtype: DType): HeapStorage => ({
  pointer,
  size,
  dtype,
  references: 1,
  deferred: undefined,
  readers: undefined,
})
