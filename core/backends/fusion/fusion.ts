import { type InternedExpr, intern } from '../../expr/intern.ts'
import type { ElementwiseAttributes } from '../../ops/elementwise.ts'
import type { SeveralAttributes } from '../../ops/elementwiseAll.ts'
import { sameShape, sizeOf } from '../../shape.ts'
import type { Operand } from '../backend.ts'
import { compose, type Part } from './compose.ts'
import type { Deferred, FusibleStorage } from './deferred.ts'

/**
 * Fusion of elementwise ops. An elementwise op on a large array is not computed but deferred: its expression and what it
 * reads are noted. An elementwise op on deferred operands takes their expressions in; anything else that needs a deferred
 * array settles it first, which computes its expression in one pass. What nobody reads is never computed. Several arrays may wait
 * together, to be computed in one pass when one of them is needed; their expressions are not taken in.
 *
 * Memory never exceeds that of the unfused ops. A deferred array has no memory, but what it reads cannot be freed. So when
 * an array is freed that deferred ones still read, each of these is settled, unless this is the only such array it keeps and
 * it can take its memory: then what is kept is at most the memory it saves. Arrays that wait together keep as many.
 */
export interface Fusion {
  /** The deferred result of an elementwise op; undefined when it is better, or necessary, to compute it now. */
  defer(name: string, inputs: readonly Operand[], attributes: ElementwiseAttributes, shape: readonly number[]): FusibleStorage | undefined
  /** The deferred results of several expressions of the same operands, computed together; undefined as above. */
  deferAll(
    name: string,
    inputs: readonly Operand[],
    attributes: SeveralAttributes,
    shape: readonly number[],
  ): readonly FusibleStorage[] | undefined
  /** Computes an array if it is deferred; whether it was. */
  settle(storage: FusibleStorage): boolean
  /** Frees an array that no tensor uses any more. */
  release(storage: FusibleStorage): void
}

/** Below this many elements the bookkeeping costs more than a pass over the array. */
const minimumSize = 4096

/** Where deferred arrays are computed, and what of them. */
export interface FusionTarget {
  /** Most arrays (written ones count too, but for one) and scalars that are read at a time, axes, and additions per element of an expression that others take in. */
  readonly limits: { readonly leaves: number; readonly params: number; readonly rank: number; readonly cost: number }
  /** An array without memory. */
  create(size: number): FusibleStorage
  /** Whether the target can compute an expression, and so all that are composed of such. */
  accepts(expr: InternedExpr): boolean
  /** Whether a deferred array may keep a freed one that it reads until it is computed, and then have its memory. */
  mayReplace(storage: FusibleStorage, leaf: FusibleStorage): boolean
  /**
   * Gives the results of a deferred computation memory and values. The memory of the heirs, at most one for each result, is
   * taken, or freed. When it throws, nothing has changed.
   */
  compute(deferred: Deferred, heirs: readonly FusibleStorage[]): void
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
  const forget = (storage: FusibleStorage, { leaves }: Deferred, heirs: readonly FusibleStorage[] = []): void => {
    for (const { storage: leaf } of leaves) {
      if (leaf.readers?.delete(storage) && leaf.readers.size === 0 && isOrphan(leaf) && !heirs.includes(leaf)) target.free(leaf)
    }
  }

  const orphansOf = ({ leaves }: Deferred): FusibleStorage[] => [...new Set(leaves.map(leaf => leaf.storage).filter(isOrphan))]

  const settle = (storage: FusibleStorage): boolean => {
    const { deferred } = storage
    if (!deferred) return false
    const { results } = deferred
    const heirs = orphansOf(deferred)
      .filter(leaf => leaf.readers!.size === results.length && target.mayReplace(storage, leaf))
      .slice(0, results.length)
    target.compute(deferred, heirs)
    for (const result of results) {
      result.deferred = undefined
      forget(result, deferred, heirs)
    }
    for (const result of results) if (isOrphan(result)) target.free(result)
    return true
  }

  const mayKeep = (reader: FusibleStorage, orphan: FusibleStorage): boolean =>
    target.mayReplace(reader, orphan) && orphansOf(reader.deferred!).length <= reader.deferred!.results.length

  /** Freeing does not fail: what cannot be computed keeps what it needs, and where its value is needed it fails again, or succeeds. */
  const trySettle = (storage: FusibleStorage): void => {
    try {
      settle(storage)
    } catch {}
  }

  const release = (storage: FusibleStorage): void => {
    const { deferred, readers } = storage
    if (deferred?.results.every(isOrphan)) {
      for (const result of deferred.results) {
        result.deferred = undefined
        forget(result, deferred)
      }
    } else if (deferred) {
      // Later, its share of the pass would need memory again that is not there without fusion.
      trySettle(storage)
    } else if (readers && readers.size > 0) {
      for (const reader of [...readers]) if (reader.deferred && !mayKeep(reader, storage)) trySettle(reader)
    } else target.free(storage)
  }

  /** Whether an op on `size` elements may take a deferred operand's expression in, with room for `room` leaves. */
  const mayInline = ({ storage, shape }: Operand, size: number, room: number): boolean => {
    const { deferred, size: own } = storage as FusibleStorage
    if (!deferred?.expr || own !== size || deferred.expr.cost > limits.cost || deferred.leaves.length > room) return false
    return sameShape(shape, deferred.shape) || viewable(storage as FusibleStorage)
  }

  /** Takes in which operands it may and settles the others, to be read. */
  const partsOf = (inputs: readonly Operand[], size: number, most: number): Part[] => {
    let room = most - inputs.length
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

  const wait = (storage: FusibleStorage, deferred: Deferred): void => {
    storage.deferred = deferred
    for (const { storage: leaf } of deferred.leaves) {
      leaf.readers ??= new Set()
      leaf.readers.add(storage)
    }
  }

  const defer = (name: string, inputs: readonly Operand[], { exprs, params }: SeveralAttributes, shape: readonly number[]) => {
    const size = sizeOf(shape)
    const most = limits.leaves - exprs.length + 1
    if (!enabled || size < minimumSize || shape.length > limits.rank || inputs.length > most || params.length > limits.params)
      return undefined
    for (const { storage } of inputs) if (storage.dtype !== 'float32') return undefined
    const own = exprs.map(intern)
    // A constant operand is computed by other instructions than the same number in an array.
    if (own.some(each => each.expr.kind === 'const' || !target.accepts(each))) return undefined
    const parts = partsOf(inputs, size, most)
    // Of the same parts, so all have the same leaves and parameters.
    const composed = own.map(each => compose(each, params, parts))
    const results = composed.map(() => target.create(size))
    const [{ expr, leaves, params: all }] = composed as [(typeof composed)[0]]
    const deferred: Deferred = {
      name,
      shape,
      leaves,
      params: all,
      expr: composed.length === 1 ? expr : undefined,
      exprs: composed.map(each => each.expr.expr),
      results,
    }
    for (const result of results) wait(result, deferred)
    return results
  }

  return {
    settle,
    release,
    defer: (name, inputs, { expr, params }, shape) => defer(name, inputs, { exprs: [expr], params }, shape)?.[0],
    deferAll: defer,
  }
}
