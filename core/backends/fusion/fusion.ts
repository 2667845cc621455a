import { type InternedExpr, intern } from '../../expr/intern.ts'
import type { ElementwiseAttributes } from '../../ops/elementwise.ts'
import { sameShape, sizeOf } from '../../shape.ts'
import type { Operand } from '../backend.ts'
import { compose, type Part } from './compose.ts'
import type { Deferred, FusibleStorage } from './deferred.ts'

/**
 * Fusion of elementwise ops. An elementwise op on a large array is not computed but deferred: its expression and what it
 * reads are noted. An elementwise op on deferred operands takes their expressions in; anything else that needs a deferred
 * array settles it first, which computes its expression in one pass. What nobody reads is never computed.
 *
 * Memory never exceeds that of the unfused ops. A deferred array has no memory, but what it reads cannot be freed. So when
 * an array is freed that deferred ones still read, each of these is settled, unless this is the only such array it keeps and
 * it can take its memory: then what is kept is at most the memory it saves.
 */
export interface Fusion {
  /** The deferred result of an elementwise op; undefined when it is better, or necessary, to compute it now. */
  defer(name: string, inputs: readonly Operand[], attributes: ElementwiseAttributes, shape: readonly number[]): FusibleStorage | undefined
  /** Computes an array if it is deferred; whether it was. */
  settle(storage: FusibleStorage): boolean
  /** Frees an array that no tensor uses any more. */
  release(storage: FusibleStorage): void
}

/** Below this many elements the bookkeeping costs more than a pass over the array. */
const minimumSize = 4096

/** Where deferred arrays are computed, and what of them. */
export interface FusionTarget {
  /** Most arrays and scalars that are read at a time, axes, and additions per element of an expression that others take in. */
  readonly limits: { readonly leaves: number; readonly params: number; readonly rank: number; readonly cost: number }
  /** An array without memory. */
  create(size: number): FusibleStorage
  /** Whether the target can compute an expression, and so all that are composed of such. */
  accepts(expr: InternedExpr): boolean
  /** Whether a deferred array may keep a freed one that it reads until it is computed, and then have its memory. */
  mayReplace(storage: FusibleStorage, leaf: FusibleStorage): boolean
  /** Gives a deferred array memory and values. An heir's memory is taken, or freed. When it throws, nothing has changed. */
  compute(storage: FusibleStorage, deferred: Deferred, heir: FusibleStorage | undefined): void
  /** Frees the memory of an array that is computed. */
  free(storage: FusibleStorage): void
}

let enabled = true

/** Turns fusion off and on, for checks that compare the two. What is deferred already stays so. */
export const setFusion = (on: boolean): void => {
  enabled = on
}

/** Whether every leaf has all the elements of the array or only one, so that another shape of it is another shape of them. */
const viewable = ({ deferred, size }: FusibleStorage): boolean =>
  deferred!.leaves.every(({ storage }) => storage.size === size || storage.size === 1)

const isOrphan = (storage: FusibleStorage): boolean => storage.references === 0

export const createFusion = (target: FusionTarget): Fusion => {
  const { limits } = target

  /** Ends the reading of a deferred array's leaves; a leaf that nobody else needs is freed, but for its heir. */
  const forget = (storage: FusibleStorage, { leaves }: Deferred, heir?: FusibleStorage): void => {
    for (const { storage: leaf } of leaves) {
      if (leaf.readers?.delete(storage) && leaf.readers.size === 0 && isOrphan(leaf) && leaf !== heir) target.free(leaf)
    }
  }

  const settle = (storage: FusibleStorage): boolean => {
    const { deferred } = storage
    if (!deferred) return false
    const heir = deferred.leaves.find(
      ({ storage: leaf }) => isOrphan(leaf) && leaf.readers!.size === 1 && target.mayReplace(storage, leaf),
    )?.storage
    target.compute(storage, deferred, heir)
    storage.deferred = undefined
    forget(storage, deferred, heir)
    return true
  }

  const mayKeep = (reader: FusibleStorage, orphan: FusibleStorage): boolean =>
    target.mayReplace(reader, orphan) && reader.deferred!.leaves.every(({ storage }) => storage === orphan || !isOrphan(storage))

  const release = (storage: FusibleStorage): void => {
    const { deferred, readers } = storage
    if (deferred) {
      storage.deferred = undefined
      forget(storage, deferred)
    } else if (readers && readers.size > 0) {
      for (const reader of [...readers]) {
        if (mayKeep(reader, storage)) continue
        try {
          settle(reader)
        } catch {
          // Freeing does not fail: the reader keeps what it needs, and where its value is needed it fails again, or succeeds.
        }
      }
    } else target.free(storage)
  }

  /** Whether an op on `size` elements may take a deferred operand's expression in, with room for `room` leaves. */
  const mayInline = ({ storage, shape }: Operand, size: number, room: number): boolean => {
    const { deferred, size: own } = storage as FusibleStorage
    if (!deferred || own !== size || deferred.expr.cost > limits.cost || deferred.leaves.length > room) return false
    return sameShape(shape, deferred.shape) || viewable(storage as FusibleStorage)
  }

  /** Takes in which operands it may and settles the others, to be read. */
  const partsOf = (inputs: readonly Operand[], size: number): Part[] => {
    let room = limits.leaves - inputs.length
    for (const operand of inputs) {
      const storage = operand.storage as FusibleStorage
      // In place of the one leaf that every operand has room for.
      if (mayInline(operand, size, room + 1)) room -= storage.deferred!.leaves.length - 1
      else settle(storage)
    }
    // Decided by what is deferred now: an operand may stand there twice and be settled the second time.
    return inputs.map(({ storage, shape }): Part => {
      const known = storage as FusibleStorage
      return known.deferred ? { kind: 'inline', of: known, as: shape } : { kind: 'leaf', leaf: { storage: known, shape } }
    })
  }

  return {
    settle,
    release,
    defer(name, inputs, { expr, params }, shape) {
      const size = sizeOf(shape)
      if (!enabled || size < minimumSize || shape.length > limits.rank || inputs.length > limits.leaves || params.length > limits.params)
        return undefined
      for (const { storage } of inputs) if (storage.dtype !== 'float32') return undefined
      const own = intern(expr)
      // A constant operand is computed by other instructions than the same number in an array.
      if (own.expr.kind === 'const' || !target.accepts(own)) return undefined
      const composed = compose(own, params, partsOf(inputs, size))
      const storage = target.create(size)
      storage.deferred = { name, shape, ...composed }
      for (const { storage: leaf } of composed.leaves) {
        leaf.readers ??= new Set()
        leaf.readers.add(storage)
      }
      return storage
    },
  }
}
