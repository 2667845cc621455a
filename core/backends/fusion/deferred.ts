import type { Expr } from '../../expr/expr.ts'
import type { InternedExpr } from '../../expr/intern.ts'
import type { Storage } from '../backend.ts'

/** An elementwise computation that waits: the expression, what it reads, and what to call it in an error. */
export interface Deferred {
  readonly name: string
  /** What an op that reads the array may take in; of arrays that are computed together, none. */
  readonly expr: InternedExpr | undefined
  readonly leaves: readonly Leaf[]
  readonly params: readonly number[]
  readonly shape: readonly number[]
  /** The expression of each array that is computed by this in one pass, and the arrays. */
  readonly exprs: readonly Expr[]
  readonly results: readonly FusibleStorage[]
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
