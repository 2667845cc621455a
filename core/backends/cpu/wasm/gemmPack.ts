import type { FunctionBuilder, Local, ModuleBuilder } from './assembler.ts'
import { tileColumns, tileRows } from './gemm.ts'
import { emitTranspose } from './gemmTranspose.ts'

/** Loop around `body` that runs while `left` stays positive after subtracting `size`; `left` is positive at the start. */
const repeat = (f: FunctionBuilder, left: Local, size: number, body: () => void) =>
  f.loop(() => {
    body()
    f.get(left).i32(size).op('i32Sub').tee(left).i32(0).op('i32GtS').branchIf(0)
  })

/** Lanes that are packed in one pass over the rows: a cache line, which is then fetched once where rows are far apart. */
const lineLanes = 16

/**
 * Emits `packLanes4` / `packLanes8`: an operand whose lanes (rows of A or columns of B) are contiguous, element (lane, k)
 * at `source + 4 lane + k * pitch`, into groups [group][k][width]. Lanes that complete the last group keep what was there:
 * they reach only elements outside the result. Parameters: to, source, lanes, k, pitch.
 */
const emitPackLanes = (m: ModuleBuilder, width: number) =>
  m.function(`packLanes${width}`, ['i32', 'i32', 'i32', 'i32', 'i32'], (f, ...p) => {
    const [to, source, lanes, k, pitch] = p
    const [from, left, lane, at, cell, groupBytes] = f.locals('i32', 6)
    const cells = f.locals('i32', lineLanes / width)
    /** Packs the next groups row by row; `copy` moves one row's part of them. */
    const pack = (groups: number, copy: () => void) => {
      const targets = cells.slice(0, groups)
      for (const target of targets) f.get(to).set(target).get(to).get(groupBytes).op('i32Add').set(to)
      f.get(source).set(from).get(k).set(left)
      repeat(f, left, 1, () => {
        copy()
        f.get(from).get(pitch).op('i32Add').set(from)
        for (const target of targets) f.increment(target, 4 * width)
      })
      f.increment(source, 4 * width * groups)
    }
    const copyGroups = (groups: number) => () => {
      for (let i = 0; i < width * groups; i += 4)
        f.get(cells[Math.floor(i / width)])
          .get(from)
          .mem('v128Load', 4 * i)
          .mem('v128Store', 4 * (i % width))
    }
    const copyRest = () => {
      f.get(lanes).set(lane).get(from).set(at).get(cells[0]).set(cell)
      repeat(f, lane, 1, () => {
        f.get(cell).get(at).mem('f32Load').mem('f32Store').increment(at, 4).increment(cell, 4)
      })
    }
    f.get(k)
      .i32(4 * width)
      .op('i32Mul')
      .set(groupBytes)
    f.countdown(lanes, () => pack(cells.length, copyGroups(cells.length)), lineLanes)
    f.countdown(lanes, () => pack(1, copyGroups(1)), width)
    f.get(lanes).if(() => pack(1, copyRest))
  })

/**
 * Emits `packTransposed4` / `packTransposed8`: an operand that is contiguous along k, element (lane, k) at
 * `source + lane * pitch + 4 k`, into groups [group][k][width], four lanes at a time by 4x4 transposes. Missing lanes of
 * the last four repeat the last lane. Parameters: to, source, lanes, k, pitch.
 */
const emitPackTransposed = (m: ModuleBuilder, width: number) =>
  m.function(`packTransposed${width}`, ['i32', 'i32', 'i32', 'i32', 'i32'], (f, ...p) => {
    const [to, source, lanes, k, pitch] = p
    const [left, cell, second] = f.locals('i32', 3)
    const from = f.locals('i32', 4)
    const rows = f.locals('v128', 4)
    const columns = f.locals('v128', 4)
    const temporaries = f.locals('v128', 4)
    repeat(f, lanes, 4, () => {
      f.get(source).set(from[0])
      for (let i = 1; i < 4; i++)
        f.get(from[i - 1])
          .get(pitch)
          .i32(0)
          .get(lanes)
          .i32(i)
          .op('i32GtS')
          .op('select')
          .op('i32Add')
          .set(from[i])
      f.get(to).set(cell).get(k).set(left)
      f.countdown(
        left,
        () => {
          for (let i = 0; i < 4; i++) f.get(from[i]).mem('v128Load').set(rows[i])
          emitTranspose(f, { rows, columns, temporaries })
          for (let i = 0; i < 4; i++)
            f.get(cell)
              .get(columns[i])
              .mem('v128Store', 4 * width * i)
          for (let i = 0; i < 4; i++) f.increment(from[i], 16)
          f.increment(cell, 16 * width)
        },
        4,
      )
      f.countdown(left, () => {
        for (let i = 0; i < 4; i++)
          f.get(cell)
            .get(from[i])
            .mem('f32Load')
            .mem('f32Store', 4 * i)
        for (let i = 0; i < 4; i++) f.increment(from[i], 4)
        f.increment(cell, 4 * width)
      })
      f.get(pitch).i32(2).op('i32Shl').get(source).op('i32Add').set(source)
      const nextGroup = () => f.get(k).i32(width).op('i32Mul').i32(2).op('i32Shl').get(to).op('i32Add').set(to)
      if (width === 4) nextGroup()
      else {
        // The second four of a group of eight lie beside the first; after them comes the next group.
        f.get(second).if(
          () => {
            f.increment(to, -16)
            nextGroup()
          },
          () => f.increment(to, 16),
        )
        f.get(second).op('i32Eqz').set(second)
      }
    })
  })

/** Emits the packers of A (groups of 4 rows) and of B (groups of 8 columns). */
export const buildGemmPack = (m: ModuleBuilder) => ({
  aLanes: emitPackLanes(m, tileRows),
  bLanes: emitPackLanes(m, tileColumns),
  aTransposed: emitPackTransposed(m, tileRows),
  bTransposed: emitPackTransposed(m, tileColumns),
})
