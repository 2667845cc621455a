import type { Heap } from '../heap.ts'
import { type Linked, type LinkedSource, sourceOf } from '../wasm/link.ts'
import type { Helper } from './helper.ts'
import { busyHelper, leaveTo, settleThreads } from './outstanding.ts'
import { readyHelpers, threadCount } from './pool.ts'

/**
 * How a kernel computes on several threads.
 *
 *     const shares = divide(heap, { units: strips, nanoseconds: 2 * strips * unitFlops / 40 })
 *     const [table, ...scratch] = carve(heap, [tableBytes], [perThreadBytes], shares.length)
 *     put(heap, table, offsets)
 *     onThreads(wasm, shares, (wasm, { index, first, end }) => {
 *       for (let unit = first; unit < end; unit++) wasm.gemm(scratch[index], table, ...)
 *     })
 *
 * Rules:
 * - A unit is one of many outputs that are computed independently (an image, four rows, a channel), in the same way
 *   whatever share it is in. Then no bit depends on the number of threads. A sum is not split between shares, or only at
 *   places that do not depend on their number.
 * - Shares run at the same time in any order: none reads what another writes, and none writes past its own outputs, not
 *   even bytes that the next unit would overwrite.
 * - The body makes all its calls through the `wasm` it is given. For another thread this only writes the calls down, so
 *   the body must not look at results, nor write to the memory itself: tables are placed before. Calls return nothing.
 * - Everything allocated (arrays, scratch, a place for each share) is allocated before; tables are in the heap's `tables`.
 * - A share of more than half a millisecond is handed over in a few pieces: the body is called for one range after the
 *   other, and the last ones may go to another thread, with the `index` of that one. So nothing is left in scratch memory
 *   for the next range.
 * - Other threads may still compute when `onThreads` returns. What follows waits for them where it must: the next
 *   `onThreads`, any other call of a linked function, any view of the heap. What all shares need first (transformed filters) is
 *   a call of its own before.
 */

/** The units first <= unit < end, computed by one thread; none where first = end. */
export interface Share {
  /** 0 for the first share, and so on: which part of the scratch memory is its thread's. */
  readonly index: number
  readonly first: number
  readonly end: number
  /** In how many pieces it is handed to its thread. */
  readonly pieces: number
}

export interface Work {
  /** Number of independent parts, about equally long. */
  readonly units: number
  /** About how long one thread takes for everything. */
  readonly nanoseconds: number
  /** Whether the op ends with it: then the caller's share is shorter by `pause`. */
  readonly isLast?: boolean
}

/** Waking a thread and waiting for it costs up to 20 microseconds, which a share should outweigh. */
const defaultSmallestShare = 20_000
let smallestShare = defaultSmallestShare

/** Pieces of a share should be longer than this, and not many: each repeats what a kernel does per range. */
const smallestPiece = 250_000
const mostPieces = 4

/** About how long the caller is busy between two ops, in nanoseconds, while the other threads finish the first. */
const pause = 15_000

/** Sets from how many nanoseconds on a share is worth a thread, for tests of small sizes; the default without an argument. */
export const setSmallestShare = (nanoseconds = defaultSmallestShare): void => {
  smallestShare = nanoseconds
}

/** Whether `divide` may make more than one share: a cheap question to ask before anything else is computed. */
export const isWorthThreads = (heap: Heap, nanoseconds: number): boolean =>
  nanoseconds >= 2 * smallestShare && heap.shared && threadCount() > 1

/** All units as one share, for work that cannot be divided. */
export const whole = (units: number): Share => ({ index: 0, first: 0, end: units, pieces: 1 })

/** Divides units into shares of equal length (to one unit), but for the caller's at the end of an op; one where threads are not worth it. */
export const divide = (heap: Heap, { units, nanoseconds, isLast = false }: Work): readonly Share[] => {
  if (units < 2 || !isWorthThreads(heap, nanoseconds)) return [whole(units)]
  const most = smallestShare > 0 ? Math.floor(nanoseconds / smallestShare) : units
  const count = Math.min(units, most, readyHelpers().length + 1)
  const pieces = Math.max(1, Math.min(mostPieces, Math.floor(units / count), Math.floor(nanoseconds / count / smallestPiece)))
  if (count === 1) return [whole(units)]
  const unit = nanoseconds / units
  const ahead = isLast && unit > 0 ? (Math.min(pause, nanoseconds / count) * (count - 1)) / (count * unit) : 0
  const first = Math.round(units / count - ahead)
  const start = (index: number) => (index === 0 ? 0 : first + Math.floor(((index - 1) * (units - first)) / (count - 1)))
  return Array.from({ length: count }, (_, index) => ({ index, first: start(index), end: start(index + 1), pieces }))
}

/** The pieces of a share, none empty. */
const piecesOf = (share: Share): readonly Share[] => {
  const { first, end, pieces } = share
  if (pieces === 1) return [share]
  const start = (piece: number) => first + Math.floor((piece * (end - first)) / pieces)
  return Array.from({ length: pieces }, (_, piece) => ({ ...share, first: start(piece), end: start(piece + 1), pieces: 1 }))
}

type Body = (wasm: Linked, share: Share) => void

let writer: Helper | undefined
const recorders = new WeakMap<LinkedSource, Linked>()

/** Functions of the same names that write their calls down for `writer`. */
const recorderOf = (source: LinkedSource): Linked => {
  let recorder = recorders.get(source)
  if (!recorder) {
    const { names, first } = source
    const record =
      (i: number) =>
      (...values: number[]): number => {
        writer!.call(first + i, values)
        return 0
      }
    recorder = Object.fromEntries(names.map((name, i) => [name, record(i)]))
    recorders.set(source, recorder)
  }
  return recorder
}

/** Writes a piece down for a helper, which begins at once. The job is closed also when the body throws. */
const hand = (helper: Helper, source: LinkedSource, write: (wasm: Linked) => void): void => {
  writer = helper
  helper.begin()
  try {
    write(recorderOf(source))
  } finally {
    helper.end()
  }
}

/**
 * Runs what cannot be divided or is too short for it: on the other thread if that one is busy, so that the caller need not wait
 * for it, else on the caller's. The rules are those of `onThreads`.
 */
export const onOneThread = (wasm: Linked, body: (wasm: Linked) => void): void => {
  const helper = busyHelper()
  if (!helper) {
    body(wasm)
    return
  }
  const source = sourceOf(wasm)
  helper.send(source)
  helper.beginSeries()
  try {
    hand(helper, source, body)
  } finally {
    helper.leave()
  }
}

/**
 * Runs the body for every share: the first on the caller's thread, the others on one thread each. What the other threads
 * have not begun when the caller has done its share is computed by the caller, so that a busy machine costs little. What
 * they have begun they finish while the caller goes on; see outstanding.ts.
 * @throws ThreadError when a call failed on another thread or the thread ended, be it of an op before: all are done by then
 */
export const onThreads = (wasm: Linked, shares: readonly Share[], body: Body): void => {
  if (shares.length === 1) {
    onOneThread(wasm, wasm => body(wasm, shares[0]!))
    return
  }
  const errors: unknown[] = []
  const attempt = (what: () => void) => {
    try {
      what()
    } catch (error) {
      errors.push(error)
    }
  }
  const source = sourceOf(wasm)
  const helpers = readyHelpers()
  // One thread does what it is told in order; of several, one would begin before another has finished what came before.
  if (helpers.length > 1) attempt(settleThreads)
  const handed = shares.slice(1, helpers.length + 1).map((share, i) => ({ helper: helpers[i]!, pieces: piecesOf(share) }))
  for (const { helper, pieces } of handed) {
    helper.send(source)
    helper.beginSeries()
    for (const piece of pieces) attempt(() => hand(helper, source, recorder => body(recorder, piece)))
  }
  attempt(settleThreads)
  for (const share of [shares[0]!, ...shares.slice(handed.length + 1)]) {
    if (share.first < share.end) attempt(() => body(wasm, { ...share, index: 0 }))
  }
  for (const { helper, pieces } of handed) {
    for (let i = helper.takeNext(); i >= 0; i = helper.takeNext()) {
      const piece = pieces[i]!
      attempt(() => body(wasm, { ...piece, index: 0 }))
    }
  }
  leaveTo(handed.map(({ helper }) => helper))
  if (errors.length > 0) {
    attempt(settleThreads)
    throw errors[0]
  }
}
