import { intern } from '../../expr/intern.ts'
import type { ElementwiseAttributes } from '../../ops/elementwise.ts'
import { sizeOf } from '../../shape.ts'
import type { Operand } from '../backend.ts'
import { compose, type Part } from './compose.ts'
import type { Heap } from './heap.ts'
import type { CpuArray } from './kernel.ts'
import { type Deferred, type HeapStorage, heapStorage, type Leaf } from './storage.ts'
import { maximumRank } from './wasm/collapse.ts'
import { elementwise } from './wasm/elementwise.ts'

/**
 * Fusion of elementwise ops. An elementwise op on a large array is not computed but deferred: its expression and what it
 * reads are noted. An elementwise op on deferred operands takes their expressions in; anything else that needs a deferred
 * array settles it first, which computes its expression in one pass. What nobody reads is never computed.
 *
 * The bits are those of the unfused ops: each operation rounds to float32 on its own, fused or not.
 *
 * Memory never exceeds that of the unfused ops. A deferred array has no memory, but what it reads cannot be freed. So when
 * an array is freed that deferred ones still read, each of these is settled, unless this is the only such array it keeps and
 * it can be written over it: then what is kept is at most the memory it saves.
 */
export interface Fusion {
  /** The deferred result of an elementwise op; undefined when it is better, or necessary, to compute it now. */
  defer(name: string, inputs: readonly Operand[], attributes: ElementwiseAttributes, shape: readonly number[]): HeapStorage | undefined
  /** Computes an array if it is deferred; whether it was. */
  settle(storage: HeapStorage): boolean
  /** Frees an array that no tensor uses any more. */
  release(storage: HeapStorage): void
}

/** Below this many elements the bookkeeping costs more than a pass over the array. */
const minimumSize = 4096
/** An expression dearer than this (in additions per element) is computed once instead of by each of its readers. */
const maximumInlineCost = 8
/** Arrays read at a time, which with their intermediate values should fit into the vector registers. */
const maximumLeaves = 8
const maximumParams = 32

let enabled = true

/** Turns fusion off and on, for checks that compare the two. What is deferred already stays so. */
export const setFusion = (on: boolean): void => {
  enabled = on
}

/** Whether every leaf has all the elements of the array or only one, so that another shape of it is another shape of them. */
const viewable = ({ deferred, size }: HeapStorage): boolean =>
  deferred!.leaves.every(({ storage }) => storage.size === size || storage.size === 1)

const sameShape = (a: readonly number[], b: readonly number[]): boolean => a.length === b.length && a.every((length, i) => length === b[i])

/**
 * Whether a deferred array may be computed into the memory of a leaf. The kernel writes whole vectors: what it writes past
 * the end of a row must not be what it still reads.
 */
const canOverwrite = (storage: HeapStorage, leaf: HeapStorage): boolean => {
  const { leaves, shape } = storage.deferred!
  return leaf.size === storage.size && (shape.at(-1)! % 4 === 0 || leaves.every(l => l.storage.size === storage.size))
}

const isOrphan = (storage: HeapStorage): boolean => storage.references === 0

export const createFusion = (heap: Heap): Fusion => {
  const arrayOf = ({ storage, shape }: Leaf): CpuArray => ({ pointer: storage.pointer, shape, dtype: 'float32' })

  /** Ends the reading of a deferred array's leaves; a leaf that nobody else needs is freed, but for its heir. */
  const forget = (storage: HeapStorage, { leaves }: Deferred, heir?: HeapStorage): void => {
    for (const { storage: leaf } of leaves) {
      if (leaf.readers?.delete(storage) && leaf.readers.size === 0 && isOrphan(leaf) && leaf !== heir) heap.free(leaf.pointer)
    }
  }

  const settle = (storage: HeapStorage): boolean => {
    const { deferred } = storage
    if (!deferred) return false
    const { name, expr, leaves, params, shape } = deferred
    const inherited = leaves.find(({ storage: leaf }) => isOrphan(leaf) && leaf.readers!.size === 1 && canOverwrite(storage, leaf))?.storage
    const pointer = inherited?.pointer ?? heap.allocate(4 * storage.size, name)
    try {
      elementwise(heap, leaves.map(arrayOf), { pointer, shape, dtype: 'float32' }, { expr: expr.expr, params })
    } catch (error) {
      if (!inherited) heap.free(pointer)
      throw error
    }
    storage.pointer = pointer
    storage.deferred = undefined
    forget(storage, deferred, inherited)
    return true
  }

  const mayKeep = (reader: HeapStorage, orphan: HeapStorage): boolean =>
    canOverwrite(reader, orphan) && reader.deferred!.leaves.every(({ storage }) => storage === orphan || !isOrphan(storage))

  const release = (storage: HeapStorage): void => {
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
    } else heap.free(storage.pointer)
  }

  /** Whether an op on `size` elements may take a deferred operand's expression in, with room for `room` leaves. */
  const mayInline = ({ storage, shape }: Operand, size: number, room: number): boolean => {
    const { deferred, size: own } = storage as HeapStorage
    if (!deferred || own !== size || deferred.expr.cost > maximumInlineCost || deferred.leaves.length > room) return false
    return sameShape(shape, deferred.shape) || viewable(storage as HeapStorage)
  }

  /** Takes in which operands it may and settles the others, to be read. */
  const partsOf = (inputs: readonly Operand[], size: number): Part[] => {
    let room = maximumLeaves - inputs.length
    for (const operand of inputs) {
      const storage = operand.storage as HeapStorage
      // In place of the one leaf that every operand has room for.
      if (mayInline(operand, size, room + 1)) room -= storage.deferred!.leaves.length - 1
      else settle(storage)
    }
    // Decided by what is deferred now: an operand may stand there twice and be settled the second time.
    return inputs.map(({ storage, shape }): Part => {
      const known = storage as HeapStorage
      return known.deferred ? { kind: 'inline', of: known, as: shape } : { kind: 'leaf', leaf: { storage: known, shape } }
    })
  }

  return {
    settle,
    release,
    defer(name, inputs, { expr, params }, shape) {
      const size = sizeOf(shape)
      if (!enabled || size < minimumSize || shape.length > maximumRank || inputs.length > maximumLeaves || params.length > maximumParams)
        return undefined
      for (const { storage } of inputs) if (storage.dtype !== 'float32') return undefined
      const own = intern(expr)
      // A constant operand is computed by other instructions than the same number in an array.
      if (own.expr.kind === 'const') return undefined
      const composed = compose(own, params, partsOf(inputs, size))
      const storage = heapStorage(0, size, 'float32')
      storage.deferred = { name, shape, ...composed }
      for (const { storage: leaf } of composed.leaves) {
        leaf.readers ??= new Set()
        leaf.readers.add(storage)
      }
      return storage
    },
  }
}
