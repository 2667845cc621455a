import type { Local, ModuleBuilder } from './assembler.ts'
import { emitTranspose } from './gemmTranspose.ts'
import type { BuildOptions } from './link.ts'
import { LaneTransforms, transformSize } from './winogradTransform.ts'

const taps = 9

/** Bytes of scratch of the filter transforms: nine taps and the 3x6 half-transformed values. */
export const filterScratchBytes = 16 * (taps + 3 * transformSize)

/**
 * `filterForward` / `filterFlipped(to, weight, rows, columns, rowPitch, columnPitch, frequencyPitch, scratch)`: G w G^T of
 * the 3x3 filters at `weight + row * rowPitch + column * columnPitch` (bytes) into strips of four rows,
 * to[frequency][strip][column][4]. Flipped reads the taps backwards, for the input gradient. Rows that complete the last
 * strip repeat the last row; their results are not used.
 */
const emitFilter = (m: ModuleBuilder, fma: boolean, flipped: boolean) =>
  m.function(
    flipped ? 'filterFlipped' : 'filterForward',
    Array.from({ length: 8 }, () => 'i32' as const),
    (f, to, weight, rows, columns, rowPitch, columnPitch, frequencyPitch, scratch) => {
      const [left, at] = f.locals('i32', 2)
      const from = f.locals('i32', 4)
      const read = f.locals('v128', 4)
      const lanes = f.locals('v128', 4)
      const temporaries = f.locals('v128', 4)
      const w = f.locals('v128', 3)
      const out = f.locals('v128', transformSize)
      const transforms = new LaneTransforms(f, fma, LaneTransforms.filterUses)
      const half = 16 * taps

      const readTaps = () => {
        // Three overlapping fours cover the nine taps without reading beyond them.
        for (const start of [0, 4, 5]) {
          from.forEach((pointer, i) => {
            f.get(pointer)
            f.mem('v128Load', 4 * start).set(read[i])
          })
          emitTranspose(f, { rows: read, columns: lanes, temporaries })
          lanes.forEach((lane, i) => {
            const tap = flipped ? taps - 1 - start - i : start + i
            f.get(scratch).get(lane)
            f.mem('v128Store', 16 * tap)
          })
        }
      }
      f.loop(() => {
        f.get(weight).set(from[0])
        for (let i = 1; i < 4; i++)
          f.get(from[i - 1])
            .get(rowPitch)
            .i32(0)
            .get(rows)
            .i32(i)
            .op('i32GtS')
            .op('select')
            .op('i32Add')
            .set(from[i])
        f.get(columns).set(left)
        f.loop(() => {
          readTaps()
          for (let kx = 0; kx < 3; kx++) {
            w.forEach((value, ky) => {
              f.get(scratch)
              f.mem('v128Load', 16 * (3 * ky + kx)).set(value)
            })
            transforms.filter(w, out)
            out.forEach((value, j) => {
              f.get(scratch).get(value)
              f.mem('v128Store', half + 16 * (3 * j + kx))
            })
          }
          for (let j = 0; j < transformSize; j++) {
            w.forEach((value, kx) => {
              f.get(scratch)
              f.mem('v128Load', half + 16 * (3 * j + kx)).set(value)
            })
            transforms.filter(w, out)
            // Frequencies are stored with the horizontal one slowest, so a row of them is six pitches apart.
            f.get(to).get(frequencyPitch).i32(j).op('i32Mul').op('i32Add').set(at)
            for (const value of out) {
              f.get(at).get(value).mem('v128Store')
              f.get(frequencyPitch).i32(transformSize).op('i32Mul').get(at).op('i32Add').set(at)
            }
          }
          f.increment(to, 16)
          for (const pointer of from) f.get(pointer).get(columnPitch).op('i32Add').set(pointer)
          f.get(left).i32(1).op('i32Sub').tee(left).branchIf(0)
        })
        f.get(rowPitch).i32(2).op('i32Shl').get(weight).op('i32Add').set(weight)
        f.get(rows).i32(4).op('i32Sub').tee(rows).i32(0).op('i32GtS').branchIf(0)
      })
    },
  )

/**
 * `filterAdjoint(dw, products, panels, rows, rowPitch, panelPitch, frequencyPitch, scratch)`: G^T m G of the summed
 * products [frequency][panel][row][8] (lanes are input channels) into dw[row][channel][9], rows `rowPitch` bytes apart.
 */
const emitFilterAdjoint = (m: ModuleBuilder, fma: boolean) =>
  m.function(
    'filterAdjoint',
    Array.from({ length: 8 }, () => 'i32' as const),
    (f, dw, products, panels, rows, rowPitch, panelPitch, frequencyPitch, scratch) => {
      const [left, to, from, at, half] = f.locals('i32', 5)
      const m6 = f.locals('v128', transformSize)
      const w = f.locals('v128', taps)
      const lanes = f.locals('v128', 4)
      const temporaries = f.locals('v128', 4)
      const transforms = new LaneTransforms(f, fma, LaneTransforms.filterUses)
      const storeTaps = () => {
        for (const start of [0, 4]) {
          emitTranspose(f, { rows: w.slice(start, start + 4), columns: lanes, temporaries })
          lanes.forEach((lane, i) => {
            f.get(to).get(lane)
            f.mem('v128Store', 4 * (taps * i + start))
          })
        }
        for (let i = 0; i < 4; i++) {
          f.get(to).get(w[8]).extractLane(i)
          f.mem('f32Store', 4 * (taps * i + 8))
        }
      }
      const next = (pointer: Local, by: Local) => f.get(pointer).get(by).op('i32Add').set(pointer)
      f.loop(() => {
        f.get(rows).set(left).get(dw).set(to).get(products).set(from)
        f.loop(() => {
          f.i32(2).set(half)
          f.loop(() => {
            f.get(from).set(at)
            for (let i = 0; i < transformSize; i++) {
              for (const value of m6) {
                f.get(at).mem('v128Load').set(value)
                next(at, frequencyPitch)
              }
              transforms.filterAdjoint(m6, w)
              for (let ky = 0; ky < 3; ky++) {
                f.get(scratch).get(w[ky])
                f.mem('v128Store', 16 * (ky * transformSize + i))
              }
            }
            for (let ky = 0; ky < 3; ky++) {
              m6.forEach((value, i) => {
                f.get(scratch)
                f.mem('v128Load', 16 * (ky * transformSize + i)).set(value)
              })
              transforms.filterAdjoint(m6, w.slice(3 * ky, 3 * ky + 3))
            }
            storeTaps()
            f.increment(from, 16).increment(to, 4 * 4 * taps)
            f.get(half).i32(1).op('i32Sub').tee(half).branchIf(0)
          })
          f.increment(to, -8 * 4 * taps)
          next(to, rowPitch)
          f.get(left).i32(1).op('i32Sub').tee(left).branchIf(0)
        })
        f.increment(dw, 8 * 4 * taps)
        next(products, panelPitch)
        f.get(panels).i32(1).op('i32Sub').tee(panels).branchIf(0)
      })
    },
  )

/** Emits `filterForward`, `filterFlipped` and `filterAdjoint`. */
export const buildWinogradFilter = (m: ModuleBuilder, { fma }: BuildOptions): void => {
  emitFilter(m, fma, false)
  emitFilter(m, fma, true)
  emitFilterAdjoint(m, fma)
}
