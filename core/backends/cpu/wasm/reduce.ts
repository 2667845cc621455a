import type { Heap } from '../heap.ts'
import type { CpuArray, CpuKernel } from '../kernel.ts'
import { divide, onThreads, whole } from '../threads/onThreads.ts'
import type { Local, ModuleBuilder } from './assembler.ts'
import { copyBytes } from './bulk.ts'
import { Lanes } from './lanes.ts'
import { type Linked, link } from './link.ts'
import { addTo, bytesOf, copyOf, eachVector, repeat, storeTail } from './loops.ts'

export interface ReduceAttributes {
  /** The reduced axes; the output keeps them with size 1. */
  readonly axes: readonly number[]
}

type Kind = 'sum' | 'max'

const identity: Record<Kind, number> = { sum: 0, max: -Infinity }

const combine = (v: Lanes, kind: Kind, a: Local, b: Local): Local => v.op(kind === 'sum' ? 'f32x4Add' : 'f32x4Max', a, b)

/** How many vectors (in rows, along the row; in columns, down the column) are added before the result joins the total. */
const blockLength = 128

/** A running total of block results: compensated (Kahan) for a sum, so that the error does not grow with the number of blocks. */
class Total {
  readonly value: Local
  private readonly lost: Local

  constructor(
    private readonly v: Lanes,
    private readonly kind: Kind,
  ) {
    this.value = v.variable(identity[kind])
    this.lost = v.variable(0)
  }

  join(block: Local): void {
    const { v } = this
    if (this.kind === 'max') {
      v.assign(this.value, combine(v, 'max', this.value, block))
      return
    }
    const corrected = v.sub(block, this.lost)
    const next = v.add(this.value, corrected)
    const lost = v.sub(v.sub(next, this.value), corrected)
    v.assign(this.value, next)
    // An infinite total has lost NaN, which must not poison the next block.
    v.assign(this.lost, v.op('v128And', lost, v.op('f32x4Eq', lost, lost)))
  }
}

const lanesTotal = (v: Lanes, kind: Kind, x: Local): Local => {
  if (kind === 'sum') return v.sumLanes(x)
  const pairs = combine(v, kind, x, v.shuffle(x, x, [2, 3, 2, 3]))
  const total = v.f.local('f32')
  v.f.get(pairs).extractLane(0).get(pairs).extractLane(1).op('f32Max').set(total)
  return total
}

/** Splits `count` (consumed) into blocks of at most `largest` and runs the body for each. */
const eachBlock = (v: Lanes, count: Local, largest: number, body: (size: Local) => void) => {
  const { f } = v
  const size = f.local('i32')
  f.loop(() => {
    f.i32(largest).get(count).get(count).i32(largest).op('i32GtS').op('select').set(size)
    body(size)
    f.get(count).get(size).op('i32Sub').tee(count).branchIf(0)
  })
}

/** `rows(x, output, rows, n)`: reduces each row of n contiguous elements to one. */
const emitRows = (m: ModuleBuilder, kind: Kind, fma: boolean) =>
  m.function('rows', ['i32', 'i32', 'i32', 'i32'], (f, ...p) => {
    const [x, output, rows, n] = p as [Local, Local, Local, Local]
    const v = new Lanes(f, fma)
    repeat(f, rows, () => {
      const total = new Total(v, kind)
      eachBlock(v, copyOf(f, n), 4 * blockLength, size => {
        const partial = [0, 1, 2, 3].map(() => v.variable(identity[kind]))
        const take = (i: number, value: Local) => v.assign(partial[i]!, combine(v, kind, partial[i]!, value))
        eachVector(
          v,
          { count: size, cursors: [x], unroll: 4 },
          at => take(at / 16, v.load(x, at)),
          ({ mask, rest }) => {
            take(0, v.select(mask, v.load(x), v.constant(identity[kind])))
            addTo(f, x, bytesOf(f, rest))
          },
        )
        total.join(combine(v, kind, combine(v, kind, partial[0]!, partial[1]!), combine(v, kind, partial[2]!, partial[3]!)))
      })
      f.get(output)
        .get(lanesTotal(v, kind, total.value))
        .mem('f32Store')
        .increment(output, 4)
    })
  })

/** `columns(x, output, planes, rows, n, rowBytes)`: reduces each plane of rows of n contiguous elements to one row. */
const emitColumns = (m: ModuleBuilder, kind: Kind, fma: boolean) =>
  m.function('columns', ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'], (f, ...p) => {
    const [x, output, planes, rows, n, rowBytes] = p as [Local, Local, Local, Local, Local, Local]
    const v = new Lanes(f, fma)
    const plane = f.local('i32')
    f.get(rowBytes).get(rows).op('i32Mul').set(plane)
    /** Reduces `width` neighbouring vectors down all rows. */
    const strip = (top: Local, width: number): Local[] => {
      const totals = Array.from({ length: width }, () => new Total(v, kind))
      const cursor = copyOf(f, top)
      eachBlock(v, copyOf(f, rows), blockLength, size => {
        const partial = totals.map(() => v.variable(identity[kind]))
        repeat(f, size, () => {
          for (const [i, sum] of partial.entries()) v.assign(sum, combine(v, kind, sum, v.load(cursor, 16 * i)))
          addTo(f, cursor, rowBytes)
        })
        for (const [i, sum] of partial.entries()) totals[i]!.join(sum)
      })
      return totals.map(total => total.value)
    }
    repeat(f, planes, () => {
      const left = copyOf(f, n)
      const top = copyOf(f, x)
      for (const width of [4, 1]) {
        f.countdown(
          left,
          () => {
            for (const [i, value] of strip(top, width).entries()) v.store(output, value, 16 * i)
            f.increment(top, 16 * width).increment(output, 16 * width)
          },
          4 * width,
        )
      }
      f.get(left).if(() => {
        storeTail(v, output, strip(top, 1)[0]!, { rest: left, mask: v.tailMask(left) })
        addTo(f, output, bytesOf(f, left))
      })
      addTo(f, x, plane)
    })
  })

/** A run of neighbouring axes that are all reduced or all kept. */
interface Run {
  size: number
  readonly reduced: boolean
}

const runsOf = (shape: readonly number[], axes: readonly number[]): Run[] => {
  const runs: Run[] = []
  shape.forEach((size, axis) => {
    if (size === 1) return
    const reduced = axes.includes(axis)
    const last = runs.at(-1)
    if (last?.reduced === reduced) last.size *= size
    else runs.push({ size, reduced })
  })
  return runs
}

/** [outer, size, kept] to [outer, kept]; from one place to another, or in place with the result in front. */
interface Pass {
  readonly source: number
  readonly target: number
  readonly outer: number
  readonly size: number
  readonly kept: number
}

/** Columns of a plane that one call reduces: what is read at once, and a whole cache line of results. */
const stripColumns = 16
/** About how many nanoseconds one thread takes for an element. */
const elementTime = 0.2

/**
 * One pass, shared between threads by outer elements or, when these are few, by columns. In place it stays on one
 * thread: a share would write where another one reads.
 */
const reduceRun = (heap: Heap, kernels: Linked, { source, target, outer, size, kept }: Pass): void => {
  const byColumns = outer === 1 && kept > 1
  const units = byColumns ? Math.ceil(kept / stripColumns) : outer
  const shares = source === target ? [whole(units)] : divide(heap, { units, nanoseconds: outer * size * kept * elementTime })
  onThreads(kernels, shares, (kernels, { first, end }) => {
    const from = source + 4 * first * size * kept
    const to = target + 4 * first * kept
    const column = stripColumns * first
    if (kept === 1) kernels.rows!(from, to, end - first, size)
    else if (!byColumns) kernels.columns!(from, to, end - first, size, kept, 4 * kept)
    else kernels.columns!(source + 4 * column, target + 4 * column, 1, size, Math.min(kept, stripColumns * end) - column, 4 * kept)
  })
}

/**
 * Reduces the innermost reduced run, then the next one, until none is left: [.., reduced] by rows and [.., reduced, kept]
 * by columns. Each pass is at least as small as the one before divided by its run, so the first one dominates.
 */
const reduce = (kind: Kind, heap: Heap, x: CpuArray, o: { readonly output: CpuArray; readonly axes: readonly number[] }): boolean => {
  if (x.dtype !== 'float32' || x.shape.includes(0)) return false
  const kernels = link(heap, `reduce ${kind}`, (m, { fma }) => {
    emitRows(m, kind, fma)
    emitColumns(m, kind, fma)
  })
  const runs = runsOf(x.shape, o.axes)
  let total = runs.reduce((product, run) => product * run.size, 1)
  let kept = 1
  let source = x.pointer
  const passes = runs.filter(run => run.reduced).length
  if (passes === 0) {
    copyBytes(heap, { from: x.pointer, to: o.output.pointer, bytes: 4 * total })
    return true
  }
  // Between passes the results are in scratch memory; later passes work in place, since each writes behind what it has read.
  const innermost = runs.findLast(run => run.reduced)!
  const scratch = passes > 1 ? heap.scratch((4 * total) / innermost.size + 16) : 0
  let pass = 0
  for (const { size, reduced } of runs.toReversed()) {
    if (!reduced) {
      kept *= size
      continue
    }
    pass++
    const target = pass === passes ? o.output.pointer : scratch
    const outer = total / size / kept
    reduceRun(heap, kernels, { source, target, outer, size, kept })
    total /= size
    source = target
  }
  return true
}

/** Sum over axes, blocked and compensated: the error stays that of adding about 128 numbers, and the order is fixed. */
export const sum: CpuKernel<ReduceAttributes> = (heap, [x], output, { axes }) => reduce('sum', heap, x!, { output, axes })

/** Largest element over axes; NaN if there is one. */
export const max: CpuKernel<ReduceAttributes> = (heap, [x], output, { axes }) => reduce('max', heap, x!, { output, axes })
