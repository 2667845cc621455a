import type { InternedExpr } from '../../expr/intern.ts'
import type { Storage } from '../backend.ts'

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
  readonly storage: FusibleStorage
  readonly shape: readonly number[]
}

/** An array whose computation may wait. */
export interface FusibleStorage extends Storage {
  readonly size: number
  deferred: Deferred | undefined
  /** The deferred arrays that read this one. */
  readers: Set<FusibleStorage> | undefined
}
