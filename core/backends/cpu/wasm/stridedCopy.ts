import type { Heap } from '../heap.ts'
import type { Local, ModuleBuilder } from './assembler.ts'
import { Lanes } from './lanes.ts'
import { link } from './link.ts'
import { addTo, bytesOf, copyOf, eachVector, repeat, storeTail } from './loops.ts'

/** A box of elements at regular places in memory: `strides` in elements, one per axis of the box. */
export interface Region {
  readonly pointer: number
  readonly strides: readonly number[]
}

/** Below this many bytes per row, moving vectors is faster than a call of memory.copy. */
const shortRow = 512

type Eight = [Local, Local, Local, Local, Local, Local, Local, Local]
type Nine = [...Eight, Local]

/** Runs `row(source, target)` for rows of planes; strides in bytes. */
const eachRow = (
  v: Lanes,
  o: { counts: readonly [rows: Local, planes: Local]; source: readonly [Local, Local, Local]; target: readonly [Local, Local, Local] },
  row: (source: Local, target: Local) => void,
) => {
  const { f } = v
  const [source, sourceRow, sourcePlane] = o.source
  const [target, targetRow, targetPlane] = o.target
  repeat(f, o.counts[1], () => {
    const from = copyOf(f, source)
    const to = copyOf(f, target)
    repeat(f, o.counts[0], () => {
      row(from, to)
      addTo(f, from, sourceRow)
      addTo(f, to, targetRow)
    })
    addTo(f, source, sourcePlane)
    addTo(f, target, targetPlane)
  })
}

/** `rows(source, target, n, rows, planes, four strides)`: rows of n contiguous elements. */
const emitRows = (m: ModuleBuilder) =>
  m.function('rows', Array<'i32'>(9).fill('i32'), (f, ...p) => {
    const [source, target, n, rows, planes, sourceRow, targetRow, sourcePlane, targetPlane] = p as Nine
    const v = new Lanes(f, false)
    const bytes = bytesOf(f, n)
    const loops = { counts: [rows, planes], source: [source, sourceRow, sourcePlane], target: [target, targetRow, targetPlane] } as const
    const short = (from: Local, to: Local) => {
      const cursors = [copyOf(f, from), copyOf(f, to)] as const
      eachVector(
        v,
        { count: n, cursors, unroll: 2 },
        at => v.store(cursors[1], v.load(cursors[0], at), at),
        tail => storeTail(v, cursors[1], v.load(cursors[0]), tail),
      )
    }
    f.get(bytes)
      .i32(shortRow)
      .op('i32LtU')
      .if(
        () => eachRow(v, loops, short),
        () => eachRow(v, loops, (from, to) => f.get(to).get(from).get(bytes).memoryCopy()),
      )
  })

/** `elements(source, target, n, rows, planes, six strides)`: one element at a time, any strides. */
const emitElements = (m: ModuleBuilder) =>
  m.function('elements', Array<'i32'>(11).fill('i32'), (f, ...p) => {
    const [source, target, n, rows, planes, sourceRow, targetRow, sourcePlane, targetPlane, sourceStep, targetStep] = p as [
      ...Nine,
      Local,
      Local,
    ]
    const v = new Lanes(f, false)
    eachRow(
      v,
      { counts: [rows, planes], source: [source, sourceRow, sourcePlane], target: [target, targetRow, targetPlane] },
      (from, to) => {
        const a = copyOf(f, from)
        const b = copyOf(f, to)
        repeat(f, n, () => {
          f.get(b).get(a).mem('i32Load').mem('i32Store')
          addTo(f, a, sourceStep)
          addTo(f, b, targetStep)
        })
      },
    )
  })

/**
 * `transpose(source, target, columns, rows, planes, source row, target column, plane strides)`: element (r, c) of the source,
 * contiguous along c, goes to (c, r) of the target, contiguous along r; in tiles of 4 by 4 and single elements at the edges.
 */
const emitTranspose = (m: ModuleBuilder) =>
  m.function('transpose', Array<'i32'>(9).fill('i32'), (f, ...p) => {
    const [source, target, columns, rows, planes, sourceRow, targetColumn, sourcePlane, targetPlane] = p as Nine
    const v = new Lanes(f, false)
    const fourRows = f.local('i32')
    f.get(sourceRow).i32(2).op('i32Shl').set(fourRows)

    const tile = (from: Local, to: Local) => {
      const a = copyOf(f, from)
      const r = [0, 1, 2, 3].map(() => {
        const row = v.load(a)
        addTo(f, a, sourceRow)
        return row
      })
      const low = [v.shuffle(r[0]!, r[1]!, [0, 4, 1, 5]), v.shuffle(r[2]!, r[3]!, [0, 4, 1, 5])] as const
      const high = [v.shuffle(r[0]!, r[1]!, [2, 6, 3, 7]), v.shuffle(r[2]!, r[3]!, [2, 6, 3, 7])] as const
      const b = copyOf(f, to)
      for (const [x, y] of [low, high]) {
        v.store(b, v.shuffle(x, y, [0, 1, 4, 5]))
        addTo(f, b, targetColumn)
        v.store(b, v.shuffle(x, y, [2, 3, 6, 7]))
        addTo(f, b, targetColumn)
      }
    }
    const single = (from: Local, to: Local, count: Local) => {
      const a = copyOf(f, from)
      const b = copyOf(f, to)
      repeat(f, count, () => {
        f.get(b).get(a).mem('i32Load').mem('i32Store').increment(a, 4)
        addTo(f, b, targetColumn)
      })
    }
    repeat(f, planes, () => {
      const from = copyOf(f, source)
      const to = copyOf(f, target)
      const rowsLeft = copyOf(f, rows)
      f.countdown(
        rowsLeft,
        () => {
          const a = copyOf(f, from)
          const b = copyOf(f, to)
          const left = copyOf(f, columns)
          f.countdown(
            left,
            () => {
              tile(a, b)
              f.increment(a, 16)
              for (let i = 0; i < 4; i++) addTo(f, b, targetColumn)
            },
            4,
          )
          f.get(left).if(() => {
            for (let i = 0; i < 4; i++) {
              single(a, b, left)
              addTo(f, a, sourceRow)
              f.increment(b, 4)
            }
          })
          addTo(f, from, fourRows)
          f.increment(to, 16)
        },
        4,
      )
      f.countdown(rowsLeft, () => {
        single(from, to, columns)
        addTo(f, from, sourceRow)
        f.increment(to, 4)
      })
      addTo(f, source, sourcePlane)
      addTo(f, target, targetPlane)
    })
  })

const build = (m: ModuleBuilder) => {
  emitRows(m)
  emitElements(m)
  emitTranspose(m)
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

/** Copies 32-bit elements from one region to another, both boxes of the given sizes, at most 16 axes; they must not overlap. */
export const stridedCopy = (heap: Heap, source: Region, target: Region, box: readonly number[]): void => {
  if (box.length > maximumRank) throw new Error(`strided copy: at most ${maximumRank} axes, got ${box.length}; merge axes first`)
  for (const size of box) if (size === 0) return
  const { rows, elements, transpose } = link(heap, 'stridedCopy', build)
  const rank = collapse(box, source, target)
  const transposed = arrangeTransposition(rank)
  const [n, m, p] = [sizes[0]!, sizes[1]!, sizes[2]!]
  const [f0, f1, f2] = [fromStrides[0]!, fromStrides[1]!, fromStrides[2]!]
  const [t0, t1, t2] = [toStrides[0]!, toStrides[1]!, toStrides[2]!]
  let outer = 1
  for (let axis = 3; axis < rank; axis++) outer *= sizes[axis]!
  for (let i = 0; i < outer; i++) {
    let from = source.pointer
    let to = target.pointer
    let rest = i
    for (let axis = 3; axis < rank; axis++) {
      const index = rest % sizes[axis]!
      rest = (rest - index) / sizes[axis]!
      from += index * fromStrides[axis]!
      to += index * toStrides[axis]!
    }
    if (transposed) transpose!(from, to, m, n, p, f0, t1, f2, t2)
    else if (f0 === 4 && t0 === 4) rows!(from, to, n, m, p, f1, t1, f2, t2)
    else elements!(from, to, n, m, p, f1, t1, f2, t2, f0, t0)
  }
}
