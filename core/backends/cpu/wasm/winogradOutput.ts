import type { ModuleBuilder } from './assembler.ts'
import { emitTranspose } from './gemmTranspose.ts'
import { advance, countDown, outputTableInts, overGroups, storeFrequencies } from './winogradTiles.ts'
import { LaneTransforms, outputSize, transformSize } from './winogradTransform.ts'

/**
 * `tileOutputAdjoint`, parameters as `tileInput` with a table of four byte offsets: A y A^T of the 4x4 tiles at
 * `source + offset`, for the weight gradient.
 */
export const emitTileOutputAdjoint = (m: ModuleBuilder, fma: boolean) =>
  m.function(
    'tileOutputAdjoint',
    Array.from({ length: 11 }, () => 'i32' as const),
    (f, transformed, source, table, groups, inner, innerPitch, sourcePitch, pairPitch, frequencyPitch, rowBytes, scratch) => {
      const [left, to, place] = f.locals('i32', 3)
      const first = f.locals('i32', 4)
      const from = f.locals('i32', 4)
      const rows = f.locals('v128', 4)
      const columns = f.locals('v128', 4)
      const temporaries = f.locals('v128', 4)
      const out = f.locals('v128', 6)
      const transforms = new LaneTransforms(f, fma, LaneTransforms.outputUses)
      overGroups(f, { transformed, table, groups, pairPitch, tableInts: outputTableInts }, () => {
        first.forEach((pointer, lane) => {
          f.get(source).get(table)
          f.mem('i32Load', 4 * lane)
            .op('i32Add')
            .set(pointer)
        })
        f.get(inner).set(left).get(transformed).set(place)
        f.loop(() => {
          for (let row = 0; row < outputSize; row++) {
            from.forEach((pointer, i) => {
              if (row === 0) f.get(first[i]).set(pointer)
              else advance(f, pointer, rowBytes)
              f.get(pointer).mem('v128Load').set(rows[i])
            })
            emitTranspose(f, { rows, columns, temporaries })
            transforms.outputAdjoint(columns, out)
            out.forEach((value, i) => {
              f.get(scratch).get(value)
              f.mem('v128Store', 16 * (i * outputSize + row))
            })
          }
          f.get(place).set(to)
          storeFrequencies(f, { scratch, to, pitch: frequencyPitch, length: outputSize }, (column, o) =>
            transforms.outputAdjoint(column, o),
          )
          for (const pointer of first) advance(f, pointer, sourcePitch)
          advance(f, place, innerPitch)
          countDown(f, left)
        })
      })
    },
  )

/**
 * `tileOutput(transformed, result, table, groups, inner, innerPitch, resultPitch, pairPitch, frequencyPitch, rowBytes,
 * scratch, bias, biasPitch)`: A^T m A of the products at all frequencies, plus the bias of the step's channel, into the
 * 4x4 tiles at `result + offset`.
 */
export const emitTileOutput = (m: ModuleBuilder, fma: boolean) =>
  m.function(
    'tileOutput',
    Array.from({ length: 13 }, () => 'i32' as const),
    (
      f,
      transformed,
      result,
      table,
      groups,
      inner,
      innerPitch,
      resultPitch,
      pairPitch,
      frequencyPitch,
      rowBytes,
      scratch,
      bias,
      biasPitch,
    ) => {
      const [left, from, place, biasAt] = f.locals('i32', 4)
      const tile = f.locals('i32', 4)
      const to = f.locals('i32', 4)
      const m6 = f.locals('v128', 6)
      const out = f.locals('v128', 4)
      const pixels = f.locals('v128', 4)
      const temporaries = f.locals('v128', 4)
      const shift = f.local('v128')
      const transforms = new LaneTransforms(f, fma, LaneTransforms.outputUses)
      overGroups(f, { transformed, table, groups, pairPitch, tableInts: outputTableInts }, () => {
        tile.forEach((pointer, lane) => {
          f.get(result).get(table)
          f.mem('i32Load', 4 * lane)
            .op('i32Add')
            .set(pointer)
        })
        f.get(inner).set(left).get(transformed).set(place).get(bias).set(biasAt)
        f.loop(() => {
          f.get(place).set(from).get(biasAt).mem('v128Load32Splat').set(shift)
          for (let i = 0; i < transformSize; i++) {
            for (const value of m6) {
              f.get(from).mem('v128Load').set(value)
              advance(f, from, frequencyPitch)
            }
            transforms.output(m6, out)
            out.forEach((value, row) => {
              f.get(scratch).get(value)
              f.mem('v128Store', 16 * (row * transformSize + i))
            })
          }
          for (let row = 0; row < outputSize; row++) {
            m6.forEach((value, i) => {
              f.get(scratch)
              f.mem('v128Load', 16 * (row * transformSize + i)).set(value)
            })
            transforms.output(m6, out)
            for (const value of out) f.get(value).get(shift).simd('f32x4Add').set(value)
            emitTranspose(f, { rows: out, columns: pixels, temporaries })
            to.forEach((pointer, lane) => {
              if (row === 0) f.get(tile[lane]).set(pointer)
              else advance(f, pointer, rowBytes)
              f.get(pointer).get(pixels[lane]).mem('v128Store')
            })
          }
          for (const pointer of tile) advance(f, pointer, resultPitch)
          advance(f, place, innerPitch)
          advance(f, biasAt, biasPitch)
          countDown(f, left)
        })
      })
    },
  )
