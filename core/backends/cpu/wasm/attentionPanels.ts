/**
 * Softmax of attention scores where the matrix product leaves them: panels of 8 query positions, [panel][key position][8],
 * which are also what the next product reads. Queries are lanes, so nothing is added across lanes.
 */
import type { Local, ModuleBuilder } from './assembler.ts'
import { emitTranspose } from './gemmTranspose.ts'
import { Lanes } from './lanes.ts'
import { copyOf, repeat } from './loops.ts'
import { boundedExp2 } from './simdMath.ts'

/** Bytes of one key position in a panel. */
const rowBytes = 32
const halves = [0, 16]

/** Visits the rows of a panel, both vectors of each. */
const eachRow = (v: Lanes, rows: Local, pointers: readonly Local[], body: (cursors: readonly Local[]) => void): void => {
  const cursors = pointers.map(pointer => copyOf(v.f, pointer))
  repeat(v.f, rows, () => {
    body(cursors)
    for (const cursor of cursors) v.f.increment(cursor, rowBytes)
  })
}

/** Runs the body for each panel; the pointers then move to the next. */
const eachPanel = (v: Lanes, o: { panels: Local; rows: Local; pointers: readonly Local[] }, body: () => void): void =>
  repeat(v.f, o.panels, () => {
    body()
    for (const pointer of o.pointers) v.f.get(o.rows).i32(rowBytes).op('i32Mul').get(pointer).op('i32Add').set(pointer)
  })

/** `softmaxPanels(s, panels, rows, scale)`: s becomes exp(scale (s - max)) / Σ exp(scale (s - max)), by columns of a panel. */
const emitSoftmax = (m: ModuleBuilder, fma: boolean) =>
  m.function('softmaxPanels', ['i32', 'i32', 'i32', 'f32'], (f, s, panels, rows, scale) => {
    const v = new Lanes(f, fma)
    const factor = v.mul(v.splat(scale), v.constant(Math.LOG2E))
    eachPanel(v, { panels, rows, pointers: [s] }, () => {
      const largest = halves.map(() => v.variable(-Infinity))
      eachRow(v, rows, [s], ([at]) => {
        for (const [i, half] of halves.entries()) v.assign(largest[i], v.op('f32x4Pmax', largest[i], v.load(at, half)))
      })
      const sums = halves.map(() => v.variable(0))
      eachRow(v, rows, [s], ([at]) => {
        for (const [i, half] of halves.entries()) {
          const e = boundedExp2(v, v.mul(v.sub(v.load(at, half), largest[i]), factor))
          v.store(at, e, half)
          v.assign(sums[i], v.add(sums[i], e))
        }
      })
      const inverses = sums.map(sum => v.div(v.constant(1), sum))
      eachRow(v, rows, [s], ([at]) => {
        for (const [i, half] of halves.entries()) v.store(at, v.mul(v.load(at, half), inverses[i]), half)
      })
    })
  })

/** `softmaxGradPanels(w, dw, panels, rows, scale)`: dw becomes scale w (dw - Σ w dw), by columns of a panel. */
const emitSoftmaxGrad = (m: ModuleBuilder, fma: boolean) =>
  m.function('softmaxGradPanels', ['i32', 'i32', 'i32', 'i32', 'f32'], (f, w, dw, panels, rows, scale) => {
    const v = new Lanes(f, fma)
    const factor = v.splat(scale)
    eachPanel(v, { panels, rows, pointers: [w, dw] }, () => {
      const dots = halves.map(() => v.variable(0))
      eachRow(v, rows, [w, dw], ([a, b]) => {
        for (const [i, half] of halves.entries()) v.assign(dots[i], v.mulAdd(v.load(a, half), v.load(b, half), dots[i]))
      })
      eachRow(v, rows, [w, dw], ([a, b]) => {
        for (const [i, half] of halves.entries()) {
          v.store(b, v.mul(v.mul(v.load(a, half), factor), v.sub(v.load(b, half), dots[i])), half)
        }
      })
    })
  })

/**
 * `transposePanels(from, to, panels, rows, pitch)`: panels of queries [panel][row][8] to panels of rows
 * [ceil(rows / 8)][8 panels][8], `pitch` bytes apart. Reads whole blocks of 8 rows, so up to 7 rows past the last panel.
 */
const emitTransposePanels = (m: ModuleBuilder, fma: boolean) =>
  m.function('transposePanels', ['i32', 'i32', 'i32', 'i32', 'i32'], (f, from, to, panels, rows, pitch) => {
    const v = new Lanes(f, fma)
    const [blocks, source, target] = f.locals('i32', 3)
    const [lines, columns, temporaries] = [0, 1, 2].map(() => f.locals('v128', 4))
    f.get(rows).i32(7).op('i32Add').i32(3).op('i32ShrU').set(blocks)
    eachPanel(v, { panels, rows, pointers: [from] }, () => {
      f.get(from).set(source).get(to).set(target)
      repeat(f, blocks, () => {
        for (const row of [0, 4]) {
          for (const query of [0, 4]) {
            for (let i = 0; i < 4; i++)
              f.get(source)
                .mem('v128Load', rowBytes * (row + i) + 4 * query)
                .set(lines[i])
            emitTranspose(f, { rows: lines, columns, temporaries })
            for (let i = 0; i < 4; i++)
              f.get(target)
                .get(columns[i])
                .mem('v128Store', rowBytes * (query + i) + 4 * row)
          }
        }
        f.increment(source, 8 * rowBytes)
          .get(target)
          .get(pitch)
          .op('i32Add')
          .set(target)
      })
      f.increment(to, 8 * rowBytes)
    })
  })

export const buildAttentionPanels = (m: ModuleBuilder, fma: boolean): void => {
  emitSoftmax(m, fma)
  emitSoftmaxGrad(m, fma)
  emitTransposePanels(m, fma)
}
