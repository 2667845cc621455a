import type { FunctionBuilder, Local, ModuleBuilder } from './assembler.ts'
import { emitTranspose } from './gemmTranspose.ts'
import { LaneTransforms, transformSize } from './winogradTransform.ts'

/**
 * The two-dimensional tile transforms, four tiles (lanes) at a time. Each is called for `groups` lane groups and, within a
 * group, for `inner` steps (channels, or groups of channels). Group g, step s uses the transformed values at
 *
 *   transformed + (g >> 1) * pairPitch + (g & 1) * 16 + s * innerPitch + (6 i + j) * frequencyPitch,   i, j < 6
 *
 * i the horizontal and j the vertical frequency: two groups make one panel of eight columns, or one strip of four each.
 */

/** Bytes of scratch for one lane group between the two passes of a transform. */
export const tileScratchBytes = 16 * transformSize * transformSize

/** An input group's table: four byte offsets, then masks that keep the left column, right column, top and bottom row. */
export const inputTableInts = 20
export const outputTableInts = 4

export const advance = (f: FunctionBuilder, pointer: Local, by: Local) => f.get(pointer).get(by).op('i32Add').set(pointer)

/** Runs `body` for every group, moving `transformed` to the next place and `table` on by `tableInts`. */
export const overGroups = (
  f: FunctionBuilder,
  {
    transformed,
    table,
    groups,
    pairPitch,
    tableInts,
  }: { transformed: Local; table: Local; groups: Local; pairPitch: Local; tableInts: number },
  body: () => void,
) => {
  const second = f.local('i32')
  f.loop(() => {
    body()
    f.get(second).if(
      () => {
        f.increment(transformed, -16)
        advance(f, transformed, pairPitch)
      },
      () => f.increment(transformed, 16),
    )
    f.get(second)
      .op('i32Eqz')
      .set(second)
      .increment(table, 4 * tableInts)
    f.get(groups).i32(1).op('i32Sub').tee(groups).branchIf(0)
  })
}

export const countDown = (f: FunctionBuilder, counter: Local) => f.get(counter).i32(1).op('i32Sub').tee(counter).branchIf(0)

/** Second pass: transforms the columns that the first pass left in `scratch` and stores them at all 36 frequencies. */
export const storeFrequencies = (
  f: FunctionBuilder,
  { scratch, to, pitch, length }: { scratch: Local; to: Local; pitch: Local; length: number },
  transform: (column: Local[], out: Local[]) => void,
) => {
  const column = f.locals('v128', length)
  const out = f.locals('v128', transformSize)
  for (let i = 0; i < transformSize; i++) {
    column.forEach((value, row) => {
      f.get(scratch)
      f.mem('v128Load', 16 * (i * length + row)).set(value)
    })
    transform(column, out)
    for (const value of out) {
      f.get(to).get(value).mem('v128Store')
      advance(f, to, pitch)
    }
  }
}

/**
 * `tileInput(transformed, source, table, groups, inner, innerPitch, sourcePitch, pairPitch, frequencyPitch, rowBytes,
 * scratch)`: B^T d B of the 6x6 patches whose origin (one left of the tile, in the tile's first row) is
 * `source + offset`; step s reads `s * sourcePitch` further on. Columns and rows outside the image are masked to zero;
 * rows outside are never read, columns outside are (four bytes before the first and after the last row).
 */
export const emitTileInput = (m: ModuleBuilder, fma: boolean) =>
  m.function(
    'tileInput',
    Array.from({ length: 11 }, () => 'i32' as const),
    (f, transformed, source, table, groups, inner, innerPitch, sourcePitch, pairPitch, frequencyPitch, rowBytes, scratch) => {
      const [left, to, place] = f.locals('i32', 3)
      const first = f.locals('i32', 4)
      const top = f.locals('i32', 4)
      const bottom = f.locals('i32', 4)
      const from = f.locals('i32', 4)
      const [keepLeft, keepRight, keepTop, keepBottom] = f.locals('v128', 4)
      const rows = f.locals('v128', 4)
      const temporaries = f.locals('v128', 4)
      const d = f.locals('v128', 6)
      const out = f.locals('v128', 6)
      const transforms = new LaneTransforms(f, fma, LaneTransforms.inputUses)
      const keep = (value: Local, mask: Local) => f.get(value).get(mask).simd('v128And').set(value)

      const loadRow = () => {
        from.forEach((pointer, i) => {
          f.get(pointer).mem('v128Load').set(rows[i])
        })
        emitTranspose(f, { rows, columns: d, temporaries })
        from.forEach((pointer, i) => {
          f.get(pointer).mem('v128Load', 8).set(rows[i])
        })
        // Only the last two columns are new: the upper half of a transpose.
        f.get(rows[0]).get(rows[1]).shuffle32([2, 6, 3, 7]).set(temporaries[0])
        f.get(rows[2]).get(rows[3]).shuffle32([2, 6, 3, 7]).set(temporaries[1])
        f.get(temporaries[0]).get(temporaries[1]).shuffle32([0, 1, 4, 5]).set(d[4])
        f.get(temporaries[0]).get(temporaries[1]).shuffle32([2, 3, 6, 7]).set(d[5])
        keep(d[0], keepLeft)
        keep(d[5], keepRight)
      }

      overGroups(f, { transformed, table, groups, pairPitch, tableInts: inputTableInts }, () => {
        ;[keepLeft, keepRight, keepTop, keepBottom].forEach((mask, i) => {
          f.get(table)
          f.mem('v128Load', 16 * (i + 1)).set(mask)
        })
        for (let lane = 0; lane < 4; lane++) {
          const masked = (mask: number) => {
            f.get(table)
            return f
              .mem('i32Load', 16 * mask + 4 * lane)
              .get(rowBytes)
              .op('i32And')
          }
          f.get(source).get(table)
          f.mem('i32Load', 4 * lane)
            .op('i32Add')
            .set(first[lane])
          f.get(first[lane])
          masked(3).op('i32Sub').set(top[lane])
          f.get(first[lane]).get(rowBytes).i32(3).op('i32Mul').op('i32Add')
          masked(4).op('i32Add').set(bottom[lane])
        }
        f.get(inner).set(left).get(transformed).set(place)
        f.loop(() => {
          for (let row = 0; row < transformSize; row++) {
            const starts = row === 0 ? top : row === 1 ? first : row === 5 ? bottom : undefined
            from.forEach((pointer, i) => {
              if (starts) f.get(starts[i]).set(pointer)
              else advance(f, pointer, rowBytes)
            })
            loadRow()
            transforms.input(d, out)
            if (row === 0) for (const value of out) keep(value, keepTop)
            if (row === 5) for (const value of out) keep(value, keepBottom)
            out.forEach((value, i) => {
              f.get(scratch).get(value)
              f.mem('v128Store', 16 * (i * transformSize + row))
            })
          }
          f.get(place).set(to)
          storeFrequencies(f, { scratch, to, pitch: frequencyPitch, length: transformSize }, (column, o) => transforms.input(column, o))
          for (const pointer of [...first, ...top, ...bottom]) advance(f, pointer, sourcePitch)
          advance(f, place, innerPitch)
          countDown(f, left)
        })
      })
    },
  )
