import type { FunctionBuilder, Local, ModuleBuilder } from './assembler.ts'
import type { BuildOptions } from './link.ts'

/** Rows and columns of the register tile: 8 accumulators, which with their operands fit the 16 vector registers of x86-64. */
export const tileRows = 4
export const tileColumns = 8

/** Bytes of scratch that `gemm` needs for tiles that stick out of the result. */
export const edgeBytes = 4 * tileRows * tileColumns

const unroll = 8

/** Appends `accumulator = accumulator + a * b`. */
export const emitMultiplyAdd = (
  f: FunctionBuilder,
  fma: boolean,
  { a, b, accumulator }: { a: Local; b: Local; accumulator: Local },
): void => {
  if (fma) f.get(a).get(b).get(accumulator).simd('f32x4RelaxedMadd').set(accumulator)
  else f.get(accumulator).get(a).get(b).simd('f32x4Mul').simd('f32x4Add').set(accumulator)
}

/**
 * The tile's sum over k of A[k][4] B[k][8], both packed, into 8 accumulators. The sum runs through k in order for every
 * element, so a result does not depend on where in the matrix its tile lies.
 */
const emitTileSum = (f: FunctionBuilder, fma: boolean, { a, b, k, sums }: { a: Local; b: Local; k: Local; sums: Local[] }): void => {
  const [b0, b1, splat] = f.locals('v128', 3)
  const end = f.local('i32')
  f.get(k).i32(4).op('i32Shl').get(a).op('i32Add').set(end)
  for (const sum of sums) f.f32x4(0).set(sum)
  f.block(() => {
    f.loop(() => {
      for (let u = 0; u < unroll; u++) {
        f.get(b)
          .mem('v128Load', 32 * u)
          .set(b0)
          .get(b)
          .mem('v128Load', 32 * u + 16)
          .set(b1)
        for (let row = 0; row < tileRows; row++) {
          f.get(a)
            .mem('v128Load32Splat', 4 * row)
            .set(splat)
          emitMultiplyAdd(f, fma, { a: splat, b: b0, accumulator: sums[2 * row] })
          emitMultiplyAdd(f, fma, { a: splat, b: b1, accumulator: sums[2 * row + 1] })
        }
        // The engine adds the offset of a splatting load in an instruction of its own, so few different ones are used.
        f.increment(a, 16)
        // An exit between the steps also ends the basic block: in longer ones the engine spills accumulators.
        if (u < unroll - 1) f.get(a).get(end).op('i32Eq').branchIf(1)
      }
      f.increment(b, 32 * unroll)
      f.get(a).get(end).op('i32Ne').branchIf(0)
    })
  })
}

/** Stores the tile at `c`, rows `ldc` bytes apart, adding to what is there when `accumulate`. */
const emitFullStore = (
  f: FunctionBuilder,
  { c, ldc, accumulate, sums }: { c: Local; ldc: Local; accumulate: Local; sums: Local[] },
): void => {
  const row = f.local('i32')
  const store = (adding: boolean) => {
    f.get(c).set(row)
    sums.forEach((sum, i) => {
      const offset = 16 * (i & 1)
      f.get(row)
      if (adding) f.get(row).mem('v128Load', offset).get(sum).simd('f32x4Add')
      else f.get(sum)
      f.mem('v128Store', offset)
      if (i & 1 && i < sums.length - 1) f.get(row).get(ldc).op('i32Add').set(row)
    })
  }
  f.get(accumulate).if(
    () => store(true),
    () => store(false),
  )
}

interface EdgeStore {
  readonly c: Local
  readonly ldc: Local
  readonly accumulate: Local
  readonly edge: Local
  readonly rows: Local
  readonly columns: Local
  readonly sums: Local[]
}

/** Stores the valid corner (`rows` x `columns`) of the tile, by way of the scratch at `edge`. */
const emitEdgeStore = (f: FunctionBuilder, { c, ldc, accumulate, edge, rows, columns, sums }: EdgeStore): void => {
  const [from, to, fromRow, toRow, row, column] = f.locals('i32', 6)
  sums.forEach((sum, i) => {
    f.get(edge)
      .get(sum)
      .mem('v128Store', 16 * i)
  })
  const atMost = (value: Local, limit: number, into: Local) =>
    f.get(value).i32(limit).get(value).i32(limit).op('i32LtS').op('select').set(into)
  f.get(edge).set(fromRow).get(c).set(toRow)
  atMost(rows, tileRows, row)
  f.loop(() => {
    f.get(fromRow).set(from).get(toRow).set(to)
    atMost(columns, tileColumns, column)
    f.loop(() => {
      f.get(to).get(from).mem('f32Load')
      f.get(to).mem('f32Load').get(from).mem('f32Load').op('f32Add')
      f.get(accumulate).op('i32Eqz').op('select').mem('f32Store')
      f.increment(from, 4).increment(to, 4)
      f.get(column).i32(1).op('i32Sub').tee(column).branchIf(0)
    })
    f.increment(fromRow, 32).get(toRow).get(ldc).op('i32Add').set(toRow)
    f.get(row).i32(1).op('i32Sub').tee(row).branchIf(0)
  })
}

/**
 * Emits one matrix product over packed operands, `batch` times:
 *
 *   C[i][j] (+)= sum over k of A[i][k] B[k][j],   i < rows, j < columns
 *
 * A lies in strips [strip][k][4] `aStrip` bytes apart, B in panels [panel][k][8] `bPanel` apart; both are padded to whole
 * tiles. Rows of C are `ldc` apart and its 8-column panels `cPanel` apart, 32 for a row-major C.
 *
 * Parameters, all i32: a, b, c, rows, columns, k (> 0), aStrip, bPanel, cPanel, ldc, accumulate, edge (scratch of
 * `edgeBytes`), batch, aBatch, bBatch, cBatch (bytes between the operands of consecutive products).
 *
 * `innermost` says what the inner loop walks over: 'strips' keeps a panel of B in the first-level cache, for many rows;
 * 'panels' keeps a strip of A there, for a few panels that fit the cache together.
 */
const emitGemm = (m: ModuleBuilder, fma: boolean, innermost: 'strips' | 'panels') =>
  m.function(
    innermost === 'strips' ? 'gemm' : 'gemmFewPanels',
    Array.from({ length: 16 }, () => 'i32' as const),
    (f, ...p) => {
      const [a, b, c, rows, columns, k, aStrip, bPanel] = p
      const [cPanel, ldc, accumulate, edge, batch, aBatch, bBatch, cBatch] = p.slice(8)
      const [strip, panel, cell, outer, rowsLeft, columnsLeft] = f.locals('i32', 6)
      const [ta, tb, cStrip] = f.locals('i32', 3)
      const sums = f.locals('v128', 8)
      const advance = (pointer: Local, by: Local) => f.get(pointer).get(by).op('i32Add').set(pointer)
      const whileLeft = (left: Local, size: number) => f.get(left).i32(size).op('i32Sub').tee(left).i32(0).op('i32GtS').branchIf(0)

      const tile = () => {
        f.get(strip).set(ta).get(panel).set(tb)
        emitTileSum(f, fma, { a: ta, b: tb, k, sums })
        f.get(rowsLeft).i32(tileRows).op('i32GeS').get(columnsLeft).i32(tileColumns).op('i32GeS').op('i32And')
        f.if(
          () => emitFullStore(f, { c: cell, ldc, accumulate, sums }),
          () => emitEdgeStore(f, { c: cell, ldc, accumulate, edge, rows: rowsLeft, columns: columnsLeft, sums }),
        )
      }
      const overStrips = (body: () => void) => {
        f.get(a).set(strip).get(rows).set(rowsLeft)
        f.loop(() => {
          body()
          advance(strip, aStrip)
          whileLeft(rowsLeft, tileRows)
        })
      }
      const overPanels = (body: () => void) => {
        f.get(b).set(panel).get(columns).set(columnsLeft)
        f.loop(() => {
          body()
          advance(panel, bPanel)
          whileLeft(columnsLeft, tileColumns)
        })
      }

      f.get(ldc).i32(2).op('i32Shl').set(cStrip)
      f.loop(() => {
        f.get(c).set(outer)
        if (innermost === 'strips') {
          overPanels(() => {
            f.get(outer).set(cell)
            overStrips(() => {
              tile()
              advance(cell, cStrip)
            })
            advance(outer, cPanel)
          })
        } else {
          overStrips(() => {
            f.get(outer).set(cell)
            overPanels(() => {
              tile()
              advance(cell, cPanel)
            })
            advance(outer, cStrip)
          })
        }
        advance(a, aBatch)
        advance(b, bBatch)
        advance(c, cBatch)
        f.get(batch).i32(1).op('i32Sub').tee(batch).branchIf(0)
      })
    },
  )

/** Emits `gemm` and `gemmFewPanels`; see `emitGemm`. */
export const buildGemm = (m: ModuleBuilder, { fma }: BuildOptions) => ({
  gemm: emitGemm(m, fma, 'strips'),
  gemmFewPanels: emitGemm(m, fma, 'panels'),
})
