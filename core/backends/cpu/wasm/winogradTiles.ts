import type { FunctionBuilder, Local, ModuleBuilder } from './assembler.ts'
import { emitTranspose } from './gemmTranspose.ts'
import { Lanes } from './lanes.ts'
import { F4, type LaneTransform, type WinogradVariant } from './winogradTransform.ts'

/**
 * The two-dimensional tile transforms, four tiles (lanes) at a time. Each is called for `groups` lane groups and, within a
 * group, for `inner` steps (channels, or groups of channels). Group g, step s uses the transformed values at
 *
 *   transformed + (g >> 1) * pairPitch + (g & 1) * 16 + s * innerPitch + (size i + j) * frequencyPitch,   i, j < size
 *
 * i the horizontal and j the vertical frequency: two groups make one panel of eight columns, or one strip of four each.
 */

/** Bytes of scratch for one lane group between the two passes of a transform. */
export const tileScratchBytes = 16 * F4.size * F4.size

/** An input group's table: four byte offsets, then masks that keep the left column, right column, top and bottom row. */
export const inputTableInts = 20
export const outputTableInts = 4
/** An output gradient's: four byte offsets, the mask of the columns that count, and that of the rows. */
export const adjointTableInts = 12

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

/** Sets a pointer per lane to `base` plus the lane's offset in the table. */
export const lanePointers = (f: FunctionBuilder, { base, table, pointers }: { base: Local; table: Local; pointers: Local[] }) =>
  pointers.forEach((pointer, lane) => {
    f.get(base).get(table)
    f.mem('i32Load', 4 * lane)
      .op('i32Add')
      .set(pointer)
  })

/** Stores the i-th value at `pointer + offsetOf(i)`. */
export const storeEach = (lanes: Lanes, pointer: Local, values: readonly Local[], offsetOf: (i: number) => number) => {
  for (const [i, value] of values.entries()) lanes.store(pointer, value, offsetOf(i))
}

/** Second pass: transforms the columns that the first pass left in `scratch` and stores them at all frequencies. */
export const storeFrequencies = (
  lanes: Lanes,
  { scratch, to, pitch, columns, length }: { scratch: Local; to: Local; pitch: Local; columns: number; length: number },
  transform: LaneTransform,
) => {
  for (let i = 0; i < columns; i++) {
    const column = Array.from({ length }, (_, row) => lanes.load(scratch, 16 * (i * length + row)))
    for (const value of transform(lanes, column)) {
      lanes.store(to, value)
      advance(lanes.f, to, pitch)
    }
  }
}

/** The first `count` columns of the four lanes' rows at `from`, at most six, each a vector over the lanes. */
const loadColumns = (lanes: Lanes, from: readonly Local[], count: number): Local[] => {
  const columns = lanes.f.locals('v128', 4)
  const rows = from.map(pointer => lanes.load(pointer))
  emitTranspose(lanes.f, { rows, columns, temporaries: lanes.f.locals('v128', 4) })
  if (count <= 4) return columns.slice(0, count)
  // Of the later four only the last two columns are new: the upper half of a transpose.
  const later = from.map(pointer => lanes.load(pointer, 8))
  const low = lanes.shuffle(later[0], later[1], [2, 6, 3, 7])
  const high = lanes.shuffle(later[2], later[3], [2, 6, 3, 7])
  return [...columns, lanes.shuffle(low, high, [0, 1, 4, 5]), lanes.shuffle(low, high, [2, 3, 6, 7])].slice(0, count)
}

/**
 * `tileInput(transformed, source, table, groups, inner, innerPitch, sourcePitch, pairPitch, frequencyPitch, rowBytes,
 * scratch)`: B^T d B of the patches whose second row begins at `source + offset`; step s reads `s * sourcePitch` further
 * on. The outermost columns and rows are masked to zero where they lie outside the image; rows outside are never read,
 * columns outside are (four bytes before the first row and up to eight after the last).
 */
export const emitTileInput = (m: ModuleBuilder, fma: boolean, variant: WinogradVariant) =>
  m.function(
    'tileInput',
    Array.from({ length: 11 }, () => 'i32' as const),
    (f, transformed, source, table, groups, inner, innerPitch, sourcePitch, pairPitch, frequencyPitch, rowBytes, scratch) => {
      const { size, inputs } = variant
      const [left, to, place] = f.locals('i32', 3)
      const first = f.locals('i32', 4)
      const top = f.locals('i32', 4)
      const bottom = f.locals('i32', 4)
      const from = f.locals('i32', 4)
      const masks = f.locals('v128', 4)
      const [keepLeft, keepRight, keepTop, keepBottom] = masks
      const lanes = new Lanes(f, fma)
      const keep = (value: Local, mask: Local) => lanes.op('v128And', value, mask)

      overGroups(f, { transformed, table, groups, pairPitch, tableInts: inputTableInts }, () => {
        masks.forEach((mask, i) => {
          f.get(table)
          f.mem('v128Load', 16 * (i + 1)).set(mask)
        })
        lanePointers(f, { base: source, table, pointers: first })
        for (let lane = 0; lane < 4; lane++) {
          const masked = (mask: number) => {
            f.get(table)
            return f
              .mem('i32Load', 16 * mask + 4 * lane)
              .get(rowBytes)
              .op('i32And')
          }
          f.get(first[lane])
          masked(3).op('i32Sub').set(top[lane])
          f.get(first[lane])
            .get(rowBytes)
            .i32(inputs - 3)
            .op('i32Mul')
            .op('i32Add')
          masked(4).op('i32Add').set(bottom[lane])
        }
        f.get(inner).set(left).get(transformed).set(place)
        f.loop(() => {
          for (let row = 0; row < inputs; row++) {
            const starts = row === 0 ? top : row === 1 ? first : row === inputs - 1 ? bottom : undefined
            from.forEach((pointer, i) => {
              if (starts) f.get(starts[i]).set(pointer)
              else advance(f, pointer, rowBytes)
            })
            const columns = loadColumns(lanes, from, inputs)
            columns[0] = keep(columns[0], keepLeft)
            columns[inputs - 1] = keep(columns[inputs - 1], keepRight)
            const outside = row === 0 ? keepTop : row === inputs - 1 ? keepBottom : undefined
            const values = variant.input(lanes, columns).map(value => (outside ? keep(value, outside) : value))
            storeEach(lanes, scratch, values, i => 16 * (i * inputs + row))
          }
          f.get(place).set(to)
          storeFrequencies(lanes, { scratch, to, pitch: frequencyPitch, columns: size, length: inputs }, variant.input)
          for (const pointer of [...first, ...top, ...bottom]) advance(f, pointer, sourcePitch)
          advance(f, place, innerPitch)
          countDown(f, left)
        })
      })
    },
  )
