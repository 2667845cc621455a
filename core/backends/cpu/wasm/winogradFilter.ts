import type { Local, ModuleBuilder } from './assembler.ts'
import { emitTranspose } from './gemmTranspose.ts'
import { Lanes } from './lanes.ts'
import { storeEach } from './winogradTiles.ts'
import { F4, type WinogradGradientVariant, type WinogradVariant } from './winogradTransform.ts'

const taps = 9
/** Columns of a block where the taps are flipped. */
const columnBlock = 16

/** Bytes of scratch of the filter transforms: nine taps and the half-transformed values. */
export const filterScratchBytes = 16 * (taps + 3 * F4.size)

/**
 * `filterForward` / `filterFlipped(to, weight, rows, columns, rowPitch, columnPitch, frequencyPitch,
 * scratch)`: G w G^T of the 3x3 filters at `weight + row * rowPitch + column * columnPitch` (bytes) into strips of four
 * rows, to[frequency][strip][column][4]. Rows that complete the last strip repeat the last row; their results are not used.
 *
 * Flipped reads the taps backwards, for the input gradient. There columns are far apart and rows are neighbours, so it goes
 * through all strips with a block of columns, whose pages the processor can keep at hand, before the next block.
 */
export const emitFilter = (m: ModuleBuilder, fma: boolean, { variant, flipped }: { variant: WinogradVariant; flipped: boolean }) =>
  m.function(
    flipped ? 'filterFlipped' : 'filterForward',
    Array.from({ length: 8 }, () => 'i32' as const),
    (f, to, weight, rows, columns, rowPitch, columnPitch, frequencyPitch, scratch) => {
      const { size } = variant
      const [left, at, vertical, count, strip, block, rowsLeft, stripPitch, begin] = f.locals('i32', 9)
      const from = f.locals('i32', 4)
      const lanes = new Lanes(f, fma)
      const half = 16 * taps

      const readTaps = () => {
        // Three overlapping fours cover the nine taps without reading beyond them.
        for (const start of [0, 4, 5]) {
          const read = from.map(pointer => lanes.load(pointer, 4 * start))
          const columns = f.locals('v128', 4)
          emitTranspose(f, { rows: read, columns, temporaries: f.locals('v128', 4) })
          storeEach(lanes, scratch, columns, i => 16 * (flipped ? taps - 1 - start - i : start + i))
        }
      }
      const next = (pointer: Local, by: Local) => f.get(pointer).get(by).op('i32Add').set(pointer)
      const oneFilter = () => {
        readTaps()
        for (let kx = 0; kx < 3; kx++) {
          const column = [0, 1, 2].map(ky => lanes.load(scratch, 16 * (3 * ky + kx)))
          storeEach(lanes, scratch, variant.filter(lanes, column), j => half + 16 * (3 * j + kx))
        }
        for (let j = 0; j < size; j++) {
          const row = [0, 1, 2].map(kx => lanes.load(scratch, half + 16 * (3 * j + kx)))
          // Frequencies are stored with the horizontal one slowest, so a row of them is \`size\` pitches apart.
          f.get(to).get(frequencyPitch).i32(j).op('i32Mul').op('i32Add').set(at)
          for (const value of variant.filter(lanes, row)) {
            lanes.store(at, value)
            next(at, vertical)
          }
        }
      }
      f.get(frequencyPitch).i32(size).op('i32Mul').set(vertical)
      f.get(columns).i32(4).op('i32Shl').set(stripPitch).get(to).set(begin)
      f.loop(() => {
        f.get(columns).set(count)
        if (flipped) f.get(columns).i32(columnBlock).get(columns).i32(columnBlock).op('i32LtS').op('select').set(count)
        f.get(weight).set(block).get(rows).set(rowsLeft).get(to).set(strip)
        f.loop(() => {
          f.get(block).set(from[0])
          for (let i = 1; i < 4; i++)
            f.get(from[i - 1])
              .get(rowPitch)
              .i32(0)
              .get(rowsLeft)
              .i32(i)
              .op('i32GtS')
              .op('select')
              .op('i32Add')
              .set(from[i])
          f.get(strip).set(to).get(count).set(left)
          f.loop(() => {
            oneFilter()
            f.increment(to, 16)
            for (const pointer of from) next(pointer, columnPitch)
            f.get(left).i32(1).op('i32Sub').tee(left).branchIf(0)
          })
          next(strip, stripPitch)
          f.get(rowPitch).i32(2).op('i32Shl').get(block).op('i32Add').set(block)
          f.get(rowsLeft).i32(4).op('i32Sub').tee(rowsLeft).i32(0).op('i32GtS').branchIf(0)
        })
        f.get(count).get(columnPitch).op('i32Mul').get(weight).op('i32Add').set(weight)
        f.get(begin).get(count).i32(4).op('i32Shl').op('i32Add').tee(begin).set(to)
        f.get(columns).get(count).op('i32Sub').tee(columns).branchIf(0)
      })
    },
  )

/**
 * `filterAdjoint(dw, products, panels, rows, rowPitch, panelPitch, frequencyPitch, scratch)`: G^T m G of the summed
 * products [frequency][panel][row][8] (lanes are input channels) into dw[row][channel][9], rows `rowPitch` bytes apart.
 */
export const emitFilterAdjoint = (m: ModuleBuilder, fma: boolean, variant: WinogradGradientVariant) =>
  m.function(
    'filterAdjoint',
    Array.from({ length: 8 }, () => 'i32' as const),
    (f, dw, products, panels, rows, rowPitch, panelPitch, frequencyPitch, scratch) => {
      const { size } = variant
      const [left, to, from, at, half] = f.locals('i32', 5)
      const lanes = new Lanes(f, fma)
      const next = (pointer: Local, by: Local) => f.get(pointer).get(by).op('i32Add').set(pointer)
      const storeTaps = (w: readonly Local[]) => {
        for (const start of [0, 4]) {
          const channels = f.locals('v128', 4)
          emitTranspose(f, { rows: w.slice(start, start + 4), columns: channels, temporaries: f.locals('v128', 4) })
          storeEach(lanes, to, channels, i => 4 * (taps * i + start))
        }
        for (let i = 0; i < 4; i++)
          f.get(to)
            .get(w[8])
            .storeLanes(1, 4 * (taps * i + 8), i)
      }
      f.loop(() => {
        f.get(rows).set(left).get(dw).set(to).get(products).set(from)
        f.loop(() => {
          f.i32(2).set(half)
          f.loop(() => {
            f.get(from).set(at)
            for (let i = 0; i < size; i++) {
              const column = Array.from({ length: size }, () => {
                const value = lanes.load(at)
                next(at, frequencyPitch)
                return value
              })
              storeEach(lanes, scratch, variant.filterAdjoint(lanes, column), ky => 16 * (ky * size + i))
            }
            storeTaps(
              [0, 1, 2].flatMap(ky =>
                variant.filterAdjoint(
                  lanes,
                  Array.from({ length: size }, (_, i) => lanes.load(scratch, 16 * (ky * size + i))),
                ),
              ),
            )
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
