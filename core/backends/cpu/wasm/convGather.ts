import type { FunctionBuilder, Local, ModuleBuilder } from './assembler.ts'
import { emitTranspose } from './gemmTranspose.ts'

/** Loop that counts `left` (positive at the start) down to zero. */
const repeat = (f: FunctionBuilder, left: Local, body: () => void) =>
  f.loop(() => {
    body()
    f.get(left).i32(1).op('i32Sub').tee(left).branchIf(0)
  })

/**
 * How a gather reads: 'single' element by element, 'lanes' where every aligned four lanes are consecutive in memory,
 * 'steps' where every aligned four steps are.
 */
export type Consecutive = 'single' | 'lanes' | 'steps'

/**
 * Emits the gather that makes a packed GEMM operand out of any array, by two tables of byte offsets (i32):
 *
 *   to[group][s][lane] = source[lanes[group * width + lane] + steps[s]],   group < groups, s < count
 *
 * This is im2col without its matrix: a convolution's element (tap, pixel) lies at the sum of an offset of the tap and an
 * offset of the pixel. Parameters: to, source, lanes, steps, groups, count ('steps': a multiple of four).
 */
const emitGather = (m: ModuleBuilder, width: number, consecutive: Consecutive) =>
  m.function(`gather${width}${consecutive}`, ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'], (f, to, source, lanes, steps, groups, count) => {
    const [left, step, offset] = f.locals('i32', 3)
    const stride = consecutive === 'lanes' ? 4 : 1
    const from = f.locals('i32', width / stride)
    const rows = f.locals('v128', 4)
    const columns = f.locals('v128', 4)
    const temporaries = f.locals('v128', 4)
    const at = (pointer: Local) => f.get(pointer).get(offset).op('i32Add')

    const one = () =>
      from.forEach((pointer, i) => {
        f.get(to)
        if (consecutive === 'lanes')
          at(pointer)
            .mem('v128Load')
            .mem('v128Store', 16 * i)
        else
          at(pointer)
            .mem('f32Load')
            .mem('f32Store', 4 * i)
      })
    const four = () => {
      for (let half = 0; half < width; half += 4) {
        rows.forEach((row, i) => {
          at(from[half + i])
            .mem('v128Load')
            .set(row)
        })
        emitTranspose(f, { rows, columns, temporaries })
        columns.forEach((column, i) => {
          f.get(to).get(column)
          f.mem('v128Store', 4 * (i * width + half))
        })
      }
    }
    const perStep = consecutive === 'steps' ? 4 : 1
    repeat(f, groups, () => {
      from.forEach((pointer, i) => {
        f.get(lanes).mem('i32Load', 4 * stride * i)
        f.get(source).op('i32Add').set(pointer)
      })
      f.get(steps).set(step).get(count).set(left)
      f.loop(() => {
        f.get(step).mem('i32Load').set(offset)
        if (consecutive === 'steps') four()
        else one()
        f.increment(step, 4 * perStep).increment(to, 4 * width * perStep)
        f.get(left).i32(perStep).op('i32Sub').tee(left).branchIf(0)
      })
      f.increment(lanes, 4 * width)
    })
  })

/**
 * Emits `copyPlanes(to, source, planes, height, width, rowPitch, planePitch)`: copies contiguous planes into a padded
 * array, `to` being the first interior element and the pitches (bytes) those of the padded array.
 */
export const emitCopyPlanes = (m: ModuleBuilder) =>
  m.function(
    'copyPlanes',
    ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'],
    (f, to, source, planes, height, width, rowPitch, planePitch) => {
      const [plane, row, cell, rowsLeft, left] = f.locals('i32', 5)
      const copy = (count: number, load: 'v128Load' | 'f32Load', store: 'v128Store' | 'f32Store') =>
        f.countdown(
          left,
          () => {
            f.get(cell).get(source).mem(load).mem(store)
            f.increment(cell, 4 * count).increment(source, 4 * count)
          },
          count,
        )
      f.get(to).set(plane)
      repeat(f, planes, () => {
        f.get(plane).set(row).get(height).set(rowsLeft)
        repeat(f, rowsLeft, () => {
          f.get(row).set(cell).get(width).set(left)
          copy(4, 'v128Load', 'v128Store')
          copy(1, 'f32Load', 'f32Store')
          f.get(row).get(rowPitch).op('i32Add').set(row)
        })
        f.get(plane).get(planePitch).op('i32Add').set(plane)
      })
    },
  )

/**
 * Emits `scatter<Single|Lanes>`: row r of a block goes to a channel plane by a table of byte offsets, a bias added,
 *
 *   to[r * toPitch + offsets[j]] = block[r * blockPitch + j] + bias[r * biasPitch],   r < rows, j < columns
 *
 * 'lanes' takes four consecutive columns at a time. Parameters: to, block, offsets, bias, rows, columns, toPitch,
 * blockPitch, biasPitch (bytes; 0 with a bias of zero means none).
 */
const emitScatter = (m: ModuleBuilder, consecutive: 'single' | 'lanes') =>
  m.function(
    `scatter${consecutive}`,
    Array.from({ length: 9 }, () => 'i32' as const),
    (f, to, block, offsets, bias, rows, columns, toPitch, blockPitch, biasPitch) => {
      const lanes = consecutive === 'lanes'
      const count = lanes ? 4 : 1
      const [offset, cell, left] = f.locals('i32', 3)
      const shift = f.local(lanes ? 'v128' : 'f32')
      const advance = (pointer: Local, by: Local) => f.get(pointer).get(by).op('i32Add').set(pointer)
      repeat(f, rows, () => {
        f.get(bias)
          .mem(lanes ? 'v128Load32Splat' : 'f32Load')
          .set(shift)
        f.get(offsets).set(offset).get(block).set(cell).get(columns).set(left)
        f.loop(() => {
          f.get(to).get(offset).mem('i32Load').op('i32Add')
          if (lanes) f.get(cell).mem('v128Load').get(shift).simd('f32x4Add').mem('v128Store')
          else f.get(cell).mem('f32Load').get(shift).op('f32Add').mem('f32Store')
          f.increment(offset, 4 * count).increment(cell, 4 * count)
          f.get(left).i32(count).op('i32Sub').tee(left).branchIf(0)
        })
        advance(to, toPitch)
        advance(block, blockPitch)
        advance(bias, biasPitch)
      })
    },
  )

/** Emits all gathers, `copyPlanes` and the scatters. */
export const buildConvGather = (m: ModuleBuilder): void => {
  for (const width of [4, 8]) for (const consecutive of ['single', 'lanes', 'steps'] as const) emitGather(m, width, consecutive)
  emitCopyPlanes(m)
  for (const consecutive of ['single', 'lanes'] as const) emitScatter(m, consecutive)
}
