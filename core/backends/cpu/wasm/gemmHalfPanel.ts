import type { Local, ModuleBuilder } from './assembler.ts'
import { emitMultiplyAdd, tileRows } from './gemm.ts'
import { emitTranspose } from './gemmTranspose.ts'
import type { BuildOptions } from './link.ts'

/** Columns of a half panel: one vector. */
const halfColumns = 4

/**
 * Emits `gemmHalfPanel(a, b, c, rows, k, aStrip, ldc, batch, aBatch, bBatch, cBatch)`, all i32: the product of `gemm` (see gemm.ts,
 * whose layouts and sums it has to the bit) with the first four columns of one panel of B, without adding to C. A whole panel would
 * spend half of the multiplications on columns that nobody needs; here two strips of A fill the accumulators, whose lanes are
 * rows of A until the end.
 *
 * An odd last strip is taken twice, with the same result.
 */
export const buildGemmHalfPanel = (m: ModuleBuilder, { fma }: BuildOptions) =>
  m.function(
    'gemmHalfPanel',
    Array.from({ length: 11 }, () => 'i32' as const),
    (f, a, b, c, rows, k, aStrip, ldc, batch, aBatch, bBatch, cBatch) => {
      const [end, rowsLeft, at, cell, panel] = f.locals('i32', 5)
      const strips = f.locals('i32', 2)
      const fourRows = f.locals('v128', 2)
      const splat = f.local('v128')
      const sums = [f.locals('v128', halfColumns), f.locals('v128', halfColumns)]
      const advance = (pointer: Local, by: Local) => f.get(pointer).get(by).op('i32Add').set(pointer)

      /** The second strip and its place in C: the first's where there is none. */
      const second = (first: Local, by: Local, into: Local) =>
        f.get(first).get(by).i32(0).get(rowsLeft).i32(tileRows).op('i32GtS').op('select').op('i32Add').set(into)
      const sumOverK = () => {
        f.get(b).set(panel).get(k).i32(4).op('i32Shl').get(strips[0]).op('i32Add').set(end)
        for (const sum of sums.flat()) f.f32x4(0).set(sum)
        f.loop(() => {
          for (const [i, strip] of strips.entries()) f.get(strip).mem('v128Load').set(fourRows[i])
          for (let column = 0; column < halfColumns; column++) {
            f.get(panel)
              .mem('v128Load32Splat', 4 * column)
              .set(splat)
            for (const [i, a] of fourRows.entries()) emitMultiplyAdd(f, fma, { a, b: splat, accumulator: sums[i][column] })
          }
          f.increment(panel, 32)
          for (const strip of strips) f.increment(strip, 16)
          f.get(strips[0]).get(end).op('i32Ne').branchIf(0)
        })
      }
      const [strip, outer, cStrip] = f.locals('i32', 3)
      f.get(ldc).i32(2).op('i32Shl').set(cStrip)
      f.loop(() => {
        f.get(a).set(strip).get(c).set(outer).get(rows).set(rowsLeft)
        f.loop(() => {
          f.get(strip).set(strips[0])
          second(strip, aStrip, strips[1])
          sumOverK()
          f.get(outer).set(at)
          second(outer, cStrip, cell)
          sums.forEach((columns, i) => {
            if (i === 1) f.get(cell).set(at)
            const result = f.locals('v128', tileRows)
            emitTranspose(f, { rows: columns, columns: result, temporaries: f.locals('v128', 4) })
            for (const row of result) {
              f.get(at).get(row).mem('v128Store')
              advance(at, ldc)
            }
          })
          for (let i = 0; i < 2; i++) {
            advance(strip, aStrip)
            advance(outer, cStrip)
          }
          f.get(rowsLeft)
            .i32(2 * tileRows)
            .op('i32Sub')
            .tee(rowsLeft)
            .i32(0)
            .op('i32GtS')
            .branchIf(0)
        })
        advance(a, aBatch)
        advance(b, bBatch)
        advance(c, cBatch)
        f.get(batch).i32(1).op('i32Sub').tee(batch).branchIf(0)
      })
    },
  )
