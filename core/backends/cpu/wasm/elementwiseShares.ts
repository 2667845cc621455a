import type { Step } from '../../../expr/linear.ts'
import type { Heap } from '../heap.ts'
import type { CpuArray } from '../kernel.ts'
import { divide, onThreads } from '../threads/onThreads.ts'
import { maximumRank, sizes, strides } from './collapse.ts'
import { type Counts, innerAxes, inputWord, outputWord, paramWord } from './elementwiseDescriptor.ts'
import type { Linked } from './link.ts'

/** About how many nanoseconds one thread takes for a step that is not listed, and for one that is. */
const plainStep = 0.15
const slowSteps: Readonly<Record<string, number>> = { div: 0.6, sqrt: 0.6, exp: 1.5, log: 2, sin: 2, cos: 2, tanh: 2, sigmoid: 2, erf: 3 }

/** About how many nanoseconds one thread takes for an element. */
export const elementTime = (steps: readonly Step[]): number =>
  steps.reduce((total, step) => total + (('name' in step && slowSteps[step.name]) || plainStep), plainStep)

export interface ElementwiseCall {
  readonly inputs: readonly CpuArray[]
  readonly outputs: readonly CpuArray[]
  readonly params: readonly number[]
  /** Number of collapsed axes, whose sizes and strides are in the tables of collapse.ts. */
  readonly rank: number
  /** About how long one thread takes. */
  readonly nanoseconds: number
}

/** Units of a single row: a cache line, so that no two threads write to the same one. */
const lineElements = 16

/** A box of the collapsed axes, innermost first. */
interface Box {
  readonly start: readonly [number, number, number]
  readonly size: readonly [number, number, number]
}

/** The boxes that make up the rows first <= row < end, counted through all planes: at most three. */
const boxesOfRows = ([n, rows]: readonly [n: number, rows: number], first: number, end: number): Box[] => {
  const boxes: Box[] = []
  for (let row = first; row < end; ) {
    const [plane, start] = [Math.floor(row / rows), row % rows]
    const planes = start === 0 ? Math.max(1, Math.floor((end - row) / rows)) : 1
    const size = planes > 1 ? rows : Math.min(rows - start, end - row)
    boxes.push({ start: [0, start, plane], size: [n, size, planes] })
    row += planes * size
  }
  return boxes
}

/**
 * Runs the kernel in shares of elements or of rows. Returns false, with nothing done, for shapes that are left to one
 * thread: more than three axes, or rows that are not whole vectors, whose ends are written over by the next row.
 */
export const runInShares = (heap: Heap, wasm: Linked, { inputs, outputs, params, rank, nanoseconds }: ElementwiseCall): boolean => {
  if (rank > innerAxes || (rank > 1 && sizes[0]! % 4 !== 0)) return false
  const [n, rows, planes] = [sizes[0]!, rank > 1 ? sizes[1]! : 1, rank > 2 ? sizes[2]! : 1]
  const units = rank === 1 ? Math.ceil(n / lineElements) : rows * planes
  const shares = divide(heap, { units, nanoseconds, isLast: true })
  if (shares.length === 1) return false
  const counts: Counts = { outputs: outputs.length, inputs: inputs.length }
  const slotBytes = 4 * paramWord(counts, params.length)
  // Every call has a descriptor of its own, since it is read later than written: three a range, and again if taken back.
  let slot = heap.tables(slotBytes * 6 * shares.length * shares[0]!.pieces)
  const describe = ({ start, size }: Box): number => {
    const words = heap.tableView.i32
    const base = slot >>> 2
    const stride = (k: number, axis: number) => (axis < rank ? strides[k * maximumRank + axis]! : 0)
    words.set(size, base)
    const at = start[0] + n * (start[1] + rows * start[2])
    for (let k = 0; k < outputs.length; k++) words[base + outputWord(k)] = outputs[k]!.pointer + 4 * at
    for (let k = 0; k < inputs.length; k++) {
      const offset = start[0] * stride(k, 0) + start[1] * stride(k, 1) + start[2] * stride(k, 2)
      words.set([inputs[k]!.pointer + 4 * offset, 4 * stride(k, 1), 4 * stride(k, 2)], base + inputWord(counts, k))
    }
    heap.tableView.f32.set(params, base + paramWord(counts, 0))
    slot += slotBytes
    return 4 * base
  }
  onThreads(wasm, shares, (wasm, { first, end }) => {
    const [from, to] = [lineElements * first, Math.min(n, lineElements * end)]
    const boxes: Box[] = rank === 1 ? [{ start: [from, 0, 0], size: [to - from, 1, 1] }] : boxesOfRows([n, rows], first, end)
    for (const box of boxes) wasm.run!(describe(box))
  })
  return true
}
