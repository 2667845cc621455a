import { argumentsText } from './indexing.ts'

/**
 * Parts of the attention kernels that never write scores out. A workgroup of 8 x 8 threads has a tile of 32 rows by 32 columns of
 * scores, 4 x 4 of them a thread; rows are the positions that the workgroup computes results for, columns those it sums over.
 * Arrays are [heads, channels, positions] and come through workgroup memory in slices of 16 channels, so that 9 KiB of it
 * suffice for any number of channels; a thread keeps its share of the results in registers.
 */

/** Threads along each side of a workgroup, positions of a tile, channels of a slice. */
const side = 8
export const tilePositions = 4 * side
const depth = 16

/** With more channels per head the results no longer fit into registers. */
export const mostChannels = 128

/** Slices that a head's channels take. */
export const slicesOf = (channels: number): number => Math.ceil(channels / depth)

/** Lower than any score, but finite, which WGSL needs. */
export const lowest = '-3.0e38'

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i)
const lanes = ['x', 'y', 'z', 'w'] as const

/** Which count of positions an array has. */
export type Positions = 'queries' | 'keys'

const readers = (inputs: readonly Positions[]): string =>
  inputs
    .map(
      (count, i) => `fn at${i}(c : u32, position : u32) -> f32 {
  let inside = c < args.channels && position < args.${count};
  return select(0.0, x${i}[select(0u, (head * args.channels + c) * args.${count} + position, inside)], inside);
}
fn four${i}(c : u32, position : u32) -> vec4<f32> {
  return vec4<f32>(${range(4)
    .map(j => `at${i}(c, position + ${j}u)`)
    .join(', ')});
}`,
    )
    .join('\n')

/** Brings a slice of an array, from channel `c0` and from a position on, into workgroup memory. */
const stage = (slice: 'left' | 'right', array: number, position: string): string =>
  `for (var s = thread; s < ${depth * side}u; s += ${side * side}u) { slice_${slice}[s] = four${array}(c0 + s / ${side}u, ${position} + 4u * (s % ${side}u)); }`

/** The tile `name`: sums over channels of the row's array times the column's, as four vectors along the columns. */
export const products = (name: string, rows: number, columns: number): string => `${range(4)
  .map(r => `var ${name}${r} = vec4<f32>();`)
  .join(' ')}
    for (var c0 = 0u; c0 < args.channels; c0 += ${depth}u) {
      ${stage('left', rows, 'row0')}
      ${stage('right', columns, 'column0')}
      workgroupBarrier();
      for (var k = 0u; k < min(${depth}u, args.channels - c0); k++) {
        let a = slice_left[k * ${side}u + ty];
        let b = slice_right[k * ${side}u + tx];
        ${range(4)
          .map(r => `${name}${r} += a.${lanes[r]} * b;`)
          .join(' ')}
      }
      workgroupBarrier();
    }`

/** Registers for the sums that `accumulate` adds to. */
export const accumulators = (name: string, slices: number): string => `var ${name} : array<vec4<f32>, ${(slices * depth) / side}>;`

/** Multiplies what was summed so far. */
export const scaled = (name: string, by: string, slices: number): string =>
  range((slices * depth) / side)
    .map(h => `${name}[${h}] *= ${by};`)
    .join(' ')

/** Adds, for every channel, the sums over the tile's columns of the weights `name` times an array of these positions. */
export const accumulate = (into: string, name: string, { array, slices }: { array: number; slices: number }): string => {
  const column = (q: number): string =>
    `weights[(4u * tx + ${q}u) * ${side}u + ty] = vec4<f32>(${range(4)
      .map(r => `${name}${r}.${lanes[q]}`)
      .join(', ')});`
  return `${range(4).map(column).join(' ')}
    for (var slice = 0u; slice < ${slices}u; slice++) {
      let c0 = slice * ${depth}u;
      ${stage('right', array, 'column0')}
      workgroupBarrier();
      for (var j = 0u; j < fours; j++) {
        ${range(4)
          .map(q => `let w${q} = weights[(4u * j + ${q}u) * ${side}u + ty];`)
          .join(' ')}
        ${range(depth / side)
          .map(
            h => `let v${h} = slice_right[(tx + ${h * side}u) * ${side}u + j];
        ${into}[slice * ${depth / side}u + ${h}u] += ${lanes.map((lane, q) => `w${q} * v${h}.${lane}`).join(' + ')};`,
          )
          .join('\n        ')}
      }
      workgroupBarrier();
    }`
}

/** Writes the sums of an accumulator to the rows of an array of the result, which begins at an offset. */
export const store = (from: string, { rows, offset, slices }: { rows: Positions; offset: string; slices: number }): string =>
  range((slices * depth) / side)
    .map(h => `put${rows}(${offset}, ${h * side}u + tx, row0 + 4u * ty, ${from}[${h}]);`)
    .join('\n  ')

const putText = (rows: Positions): string => `fn put${rows}(offset : u32, c : u32, row : u32, values : vec4<f32>) {
  if (c >= args.channels) { return; }
  for (var r = 0u; r < 4u; r++) {
    if (row + r < args.${rows}) { result[offset + (head * args.channels + c) * args.${rows} + row + r] = values[r]; }
  }
}`

/** A function of `(value, tx, ty)`: of the values of a row's threads the maximum or the sum, for four rows. */
const acrossText = (
  name: string,
  combine: (a: string, b: string) => string,
): string => `fn ${name}(value : vec4<f32>, tx : u32, ty : u32) -> vec4<f32> {
  workgroupBarrier();
  across[ty * ${side}u + tx] = value;
  workgroupBarrier();
  var total = across[ty * ${side}u];
  for (var i = 1u; i < ${side}u; i++) { total = ${combine('total', `across[ty * ${side}u + i]`)}; }
  return total;
}`

/** The names of `args`, in the order of the numbers that a dispatch gives. */
const flashSizes = ['channels', 'queries', 'keys'] as const

export interface FlashKernel {
  /** The positions of each array, and of the rows. */
  readonly inputs: readonly Positions[]
  readonly rows: Positions
  /** Inputs beyond those, read as plain arrays. */
  readonly more?: number
  /** Statements; they may use the parts above, `highest(v, tx, ty)` and `total(v, tx, ty)`. */
  readonly body: string
}

/** The WGSL module of a kernel. One workgroup for every tile of rows of every head. */
export const flashText = ({ inputs, rows, more = 0, body }: FlashKernel): string => {
  const count = inputs.length + more
  return `${range(count)
    .map(i => `@group(0) @binding(${i}) var<storage, read> x${i} : array<f32>;`)
    .join('\n')}
@group(0) @binding(${count}) var<storage, read_write> result : array<f32>;
${argumentsText(count + 1, flashSizes, ['scale'])}
var<workgroup> slice_left : array<vec4<f32>, ${depth * side}>;
var<workgroup> slice_right : array<vec4<f32>, ${depth * side}>;
var<workgroup> weights : array<vec4<f32>, ${tilePositions * side}>;
var<workgroup> across : array<vec4<f32>, ${side * side}>;
var<private> head : u32;
${readers(inputs)}
${putText(rows)}
${acrossText('highest', (a, b) => `max(${a}, ${b})`)}
${acrossText('total', (a, b) => `${a} + ${b}`)}
@compute @workgroup_size(${side * side})
fn main(@builtin(workgroup_id) group : vec3<u32>, @builtin(num_workgroups) groups : vec3<u32>,
    @builtin(local_invocation_index) thread : u32) {
  head = group.y;
  let row0 = group.x * ${tilePositions}u;
  let tx = thread % ${side}u;
  let ty = thread / ${side}u;
  ${body}
}`
}
