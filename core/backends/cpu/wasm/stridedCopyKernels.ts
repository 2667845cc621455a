import type { Local, ModuleBuilder } from './assembler.ts'
import { Lanes } from './lanes.ts'
import { addTo, bytesOf, copyOf, eachVector, repeat, storeTail } from './loops.ts'

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

/** Emits the three ways to copy a box of at most three axes. */
export const buildStridedCopy = (m: ModuleBuilder) => {
  emitRows(m)
  emitElements(m)
  emitTranspose(m)
}
