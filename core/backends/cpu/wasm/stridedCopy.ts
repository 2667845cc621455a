import type { Heap } from '../heap.ts'
import { divide, isWorthThreads, onOneThread, onThreads } from '../threads/onThreads.ts'
import { type Linked, link } from './link.ts'
import { buildStridedCopy } from './stridedCopyKernels.ts'

/** A box of elements at regular places in memory: `strides` in elements, one per axis of the box. */
export interface Region {
  readonly pointer: number
  readonly strides: readonly number[]
}

const maximumRank = 16
/** The collapsed axes of the box, innermost first, and the byte strides of both regions along them. */
const sizes = new Int32Array(maximumRank)
const fromStrides = new Float64Array(maximumRank)
const toStrides = new Float64Array(maximumRank)

/** Drops axes of size 1 and merges neighbours where both regions allow; the number of axes left, at least 3 (some of size 1). */
const collapse = (box: readonly number[], source: Region, target: Region): number => {
  let rank = 0
  for (let i = box.length - 1; i >= 0; i--) {
    const size = box[i]!
    if (size === 1) continue
    const from = 4 * source.strides[i]!
    const to = 4 * target.strides[i]!
    const inner = rank - 1
    if (rank > 0 && from === fromStrides[inner]! * sizes[inner]! && to === toStrides[inner]! * sizes[inner]!) {
      sizes[inner] = sizes[inner]! * size
      continue
    }
    sizes[rank] = size
    fromStrides[rank] = from
    toStrides[rank] = to
    rank++
  }
  for (; rank < 3; rank++) {
    sizes[rank] = 1
    fromStrides[rank] = 4
    toStrides[rank] = 4
  }
  return rank
}

/**
 * A transposition is contiguous in the target along axis 0 and in the source along another axis, which is brought to
 * place 1. Returns whether this is one.
 */
const arrangeTransposition = (rank: number): boolean => {
  if (toStrides[0] !== 4 || fromStrides[0] === 4) return false
  let across = 1
  while (across < rank && !(fromStrides[across] === 4 && sizes[across]! > 1)) across++
  if (across === rank) return false
  for (const table of [sizes, fromStrides, toStrides]) {
    const value = table[across]!
    table.copyWithin(2, 1, across)
    table[1] = value
  }
  return true
}

/** Which functions a copy is made of, by the strides of the innermost axis. */
type Way = 'transpose' | 'rows' | 'elements'

/** About how many nanoseconds one thread takes for an element. */
const elementTime: Record<Way, number> = { rows: 0.25, transpose: 0.5, elements: 1 }

/** Where a thread may begin along each of the inner axes: at a cache line, at a tile of the transposition, anywhere. */
const grain = [16, 4, 1] as const

/** The axis whose parts become the shares: the outermost that has enough of them, else the longest. */
const sharedAxis = (counts: readonly number[]): number => {
  for (const axis of [2, 1, 0]) if (counts[axis]! >= enoughParts) return axis
  return counts.indexOf(Math.max(...counts))
}
const enoughParts = 8

/** Copies 32-bit elements from one region to another, both boxes of the given sizes, at most 16 axes; they must not overlap. */
export const stridedCopy = (heap: Heap, source: Region, target: Region, box: readonly number[]): void => {
  if (box.length > maximumRank) throw new Error(`strided copy: at most ${maximumRank} axes, got ${box.length}; merge axes first`)
  for (const size of box) if (size === 0) return
  const wasm = link(heap, 'stridedCopy', buildStridedCopy)
  const rank = collapse(box, source, target)
  const way: Way = arrangeTransposition(rank) ? 'transpose' : fromStrides[0] === 4 && toStrides[0] === 4 ? 'rows' : 'elements'
  let total = elementTime[way]
  for (let axis = 0; axis < rank; axis++) total *= sizes[axis]!
  if (!isWorthThreads(heap, total)) {
    onOneThread(wasm, wasm => copyPart(wasm, { source, target, rank, way, axis: 2, first: 0, end: sizes[2]! }))
    return
  }
  const counts = grain.map((size, axis) => Math.ceil(sizes[axis]! / size))
  const axis = sharedAxis(counts)
  const shares = divide(heap, { units: counts[axis]!, nanoseconds: total })
  onThreads(wasm, shares, (wasm, { first, end }) => {
    const size = grain[axis]!
    copyPart(wasm, { source, target, rank, way, axis, first: first * size, end: Math.min(sizes[axis]!, end * size) })
  })
}

interface Part {
  readonly source: Region
  readonly target: Region
  readonly rank: number
  readonly way: Way
  /** Only positions first <= i < end along this one of the three inner axes are copied. */
  readonly axis: number
  readonly first: number
  readonly end: number
}

const copyPart = (wasm: Linked, { source, target, rank, way, axis: cut, first, end }: Part): void => {
  const length = (axis: number) => (axis === cut ? end - first : sizes[axis]!)
  const [n, m, p] = [length(0), length(1), length(2)]
  const [f0, f1, f2] = [fromStrides[0]!, fromStrides[1]!, fromStrides[2]!]
  const [t0, t1, t2] = [toStrides[0]!, toStrides[1]!, toStrides[2]!]
  let outer = 1
  for (let axis = 3; axis < rank; axis++) outer *= sizes[axis]!
  for (let i = 0; i < outer; i++) {
    let from = source.pointer + first * fromStrides[cut]!
    let to = target.pointer + first * toStrides[cut]!
    let rest = i
    for (let axis = 3; axis < rank; axis++) {
      const index = rest % sizes[axis]!
      rest = (rest - index) / sizes[axis]!
      from += index * fromStrides[axis]!
      to += index * toStrides[axis]!
    }
    if (way === 'transpose') wasm.transpose!(from, to, m, n, p, f0, t1, f2, t2)
    else if (way === 'rows') wasm.rows!(from, to, n, m, p, f1, t1, f2, t2)
    else wasm.elements!(from, to, n, m, p, f1, t1, f2, t2, f0, t0)
  }
}
