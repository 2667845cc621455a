import type { ModuleBuilder } from './assembler.ts'
import { emitTranspose } from './gemmTranspose.ts'
import { Lanes } from './lanes.ts'
import {
  adjointTableInts,
  advance,
  countDown,
  lanePointers,
  outputTableInts,
  overGroups,
  storeEach,
  storeFrequencies,
} from './winogradTiles.ts'
import type { WinogradGradientVariant, WinogradVariant } from './winogradTransform.ts'

/**
 * `tileOutputAdjoint`, parameters as `tileInput`: A y A^T of the tiles at `source + offset`, for the weight gradient.
 * Elements outside the masks of rows and columns, which an earlier tile has counted, are zero.
 */
export const emitTileOutputAdjoint = (m: ModuleBuilder, fma: boolean, variant: WinogradGradientVariant) =>
  m.function(
    'tileOutputAdjoint',
    Array.from({ length: 11 }, () => 'i32' as const),
    (f, transformed, source, table, groups, inner, innerPitch, sourcePitch, pairPitch, frequencyPitch, rowBytes, scratch) => {
      const { size, outputs } = variant
      const [left, to, place] = f.locals('i32', 3)
      const first = f.locals('i32', 4)
      const from = f.locals('i32', 4)
      const masks = f.locals('v128', outputs)
      const lanes = new Lanes(f, fma)
      overGroups(f, { transformed, table, groups, pairPitch, tableInts: adjointTableInts }, () => {
        lanePointers(f, { base: source, table, pointers: first })
        for (const [row, mask] of masks.entries())
          lanes.assign(mask, lanes.op('v128And', lanes.load(table, 16), lanes.loadSplat(table, 32 + 4 * row)))
        f.get(inner).set(left).get(transformed).set(place)
        f.loop(() => {
          for (let row = 0; row < outputs; row++) {
            const rows = from.map((pointer, i) => {
              if (row === 0) f.get(first[i]).set(pointer)
              else advance(f, pointer, rowBytes)
              f.get(pointer)
                .mem(outputs === 4 ? 'v128Load' : 'v128Load64Zero')
                .get(masks[row])
                .simd('v128And')
              return lanes.keep()
            })
            const columns = f.locals('v128', 4)
            emitTranspose(f, { rows, columns, temporaries: f.locals('v128', 4) })
            storeEach(lanes, scratch, variant.outputAdjoint(lanes, columns), i => 16 * (i * outputs + row))
          }
          f.get(place).set(to)
          storeFrequencies(lanes, { scratch, to, pitch: frequencyPitch, columns: size, length: outputs }, variant.outputAdjoint)
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
 * tiles at `result + offset`.
 */
export const emitTileOutput = (m: ModuleBuilder, fma: boolean, variant: WinogradVariant) =>
  m.function(
    'tileOutput',
    Array.from({ length: 13 }, () => 'i32' as const),
    (f, ...p) => {
      const [transformed, result, table, groups, inner, innerPitch, resultPitch] = p
      const [pairPitch, frequencyPitch, rowBytes, scratch, bias, biasPitch] = p.slice(7)
      const { size, outputs } = variant
      const [left, from, place, biasAt] = f.locals('i32', 4)
      const tile = f.locals('i32', 4)
      const to = f.locals('i32', 4)
      const lanes = new Lanes(f, fma)
      overGroups(f, { transformed, table, groups, pairPitch, tableInts: outputTableInts }, () => {
        lanePointers(f, { base: result, table, pointers: tile })
        f.get(inner).set(left).get(transformed).set(place).get(bias).set(biasAt)
        f.loop(() => {
          f.get(place).set(from)
          const shift = lanes.loadSplat(biasAt)
          for (let i = 0; i < size; i++) {
            const column = Array.from({ length: size }, () => {
              const value = lanes.load(from)
              advance(f, from, frequencyPitch)
              return value
            })
            storeEach(lanes, scratch, variant.output(lanes, column), row => 16 * (row * size + i))
          }
          for (let row = 0; row < outputs; row++) {
            const values = Array.from({ length: size }, (_, i) => lanes.load(scratch, 16 * (row * size + i)))
            const out = variant.output(lanes, values).map(value => lanes.add(value, shift))
            to.forEach((pointer, lane) => {
              if (row === 0) f.get(tile[lane]).set(pointer)
              else advance(f, pointer, rowBytes)
            })
            if (outputs === 4) {
              const pixels = f.locals('v128', 4)
              emitTranspose(f, { rows: out, columns: pixels, temporaries: f.locals('v128', 4) })
              for (const [lane, pointer] of to.entries()) lanes.store(pointer, pixels[lane])
            } else {
              const pixels = [lanes.shuffle(out[0], out[1], [0, 4, 1, 5]), lanes.shuffle(out[0], out[1], [2, 6, 3, 7])]
              for (const [lane, pointer] of to.entries()) {
                f.get(pointer).get(pixels[lane >> 1])
                f.storeLanes(2, 0, lane & 1)
              }
            }
          }
          for (const pointer of tile) advance(f, pointer, resultPitch)
          advance(f, place, innerPitch)
          advance(f, biasAt, biasPitch)
          countDown(f, left)
        })
      })
    },
  )
