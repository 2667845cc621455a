import { powerText, scaleText } from './halfRange.ts'
import { candidateTiles, columnsOf, rowsOf, type Tile } from './tile.ts'

/** Where an operand's elements come from. */
export interface Operand {
  readonly name: 'left' | 'right'
  /** Body of the function of one element, called in range only. */
  readonly element: string
  /** Whether neighbours in memory are neighbours along k, else along m or n. */
  readonly alongK: boolean
  /** Input that is read four neighbours at a time, and the expression in `batch` and the operand's indices of the first one's place. */
  readonly vector?: { readonly input: number; readonly place: string } | undefined
}

/** All that the text depends on. */
export interface TiledModule {
  readonly tile: Tile
  /** Where workgroup memory holds f16, scaled: the inputs of the largest sizes, and the set of a row and of a column (`HalfRange`). */
  readonly half?: Readonly<Record<Operand['name'], { readonly input: number; readonly set: string }>> | undefined
  readonly left: Operand
  readonly right: Operand
  /** Body of `fn place(batch: u32, m: u32, n: u32) -> u32`. */
  readonly place: string
  /** What a sum starts from, in `batch`, `m`; added once. */
  readonly bias?: string | undefined
  /** Whether results are added to what is there. */
  readonly add: boolean
  readonly inputs: number
  /** Names in `dim`. */
  readonly sizes: readonly string[]
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

const indices = { left: ['m', 'k'], right: ['k', 'n'] } as const

const keptType = (half: TiledModule['half']): string => `vec4<${half ? 'f16' : 'f32'}>`

/** What a thread reads at a time: one vector along the side, or a block of 4 terms of 4 rows or columns. */
const isBlock = ({ vector, alongK }: Operand): boolean => vector !== undefined && alongK

/**
 * `fetch_<name>` reads unit number `unit` of the slice that begins at term k0, zero out of range, and `keep_<name>` puts it into
 * workgroup memory as vectors along the side of the tile. Neighbouring threads read neighbours in memory.
 */
const operandText = (operand: Operand, side: number, { tile: { depth, slices }, half }: TiledModule): string => {
  const { name, element, alongK, vector } = operand
  const kept = keptType(half)
  const vectors = side / 4
  const across = name === 'left' ? 'm' : 'n'
  const block = isBlock(operand)
  const [type, deep] = block ? ['mat4x4<f32>', depth / 4] : ['vec4<f32>', depth]
  const unitText = `let k_of = ${alongK ? `unit % ${deep}u` : `unit / ${vectors}u`}; let q = ${alongK ? `unit / ${deep}u` : `unit % ${vectors}u`};`
  const parameters = indices[name].map(index => `${index} : u32`).join(', ')
  const call = (first: string): string => indices[name].map(index => (index === 'k' ? 'k' : first)).join(', ')
  const scale = (index: string): string => `scale_${name}(batch, ${index})`
  const scaled = (value: string, by: string): string => (half ? `${value} * ${by}` : value)
  const scales = alongK ? scale(across) : `vec4<f32>(${range(4).map(j => scale(`${across} + ${j}u`))})`
  const one = vector
    ? `fn some_${name}(batch : u32, ${parameters}, last : u32) -> vec4<f32> {
  if (${across} >= dim.${across} || k >= last) { return vec4<f32>(); }
  return ${scaled(`x${vector.input}[(${vector.place}) / 4u]`, scales)};
}`
    : `fn ${name}(batch : u32, ${parameters}) -> f32 { ${element} }
fn some_${name}(batch : u32, ${parameters}, last : u32) -> f32 {
  if (${across} >= dim.${across} || k >= last) { return 0.0; }
  return ${scaled(`${name}(batch, ${indices[name].join(', ')})`, scale(across))};
}`
  const four = range(4).map(j => `some_${name}(batch, ${call(`first + ${j}u`)}, last)`)
  const value =
    vector && !alongK
      ? `some_${name}(batch, ${call('first')}, last)`
      : block
        ? `transpose(${type}(${four.join(', ')}))`
        : `${type}(${four.join(', ')})`
  const at = `slice * ${depth * vectors}u`
  const keep = block
    ? range(4).map(j => `slice_${name}[${at} + (4u * k_of + ${j}u) * ${vectors}u + q] = ${kept}(value[${j}]);`)
    : [`slice_${name}[${at} + k_of * ${vectors}u + q] = ${kept}(value);`]
  return `var<workgroup> slice_${name} : array<${kept}, ${slices * depth * vectors}>;
${one}
fn fetch_${name}(batch : u32, origin : u32, k0 : u32, unit : u32, last : u32) -> ${type} {
  ${unitText}
  let k = k0 + ${block ? '4u * ' : ''}k_of;
  let first = origin + 4u * q;
  return ${value};
}
fn keep_${name}(slice : u32, unit : u32, value : ${type}) {
  ${unitText}
  ${keep.join('\n  ')}
}`
}

/** Statements by which all threads together fetch and keep the units of a slice; some threads have one less. */
const staged = (operand: Operand, side: number, { threads, depth }: Tile) => {
  const { name } = operand
  const all = threads[0] * threads[1]
  const units = ((side / 4) * depth) / (isBlock(operand) ? 4 : 1)
  const each = range(Math.ceil(units / all)).map(j => ({
    next: `next_${name}${j}`,
    unit: `thread + ${j * all}u`,
    within: (j + 1) * all <= units ? '' : `if (thread + ${j * all}u < ${units}u) `,
  }))
  const origin = name === 'left' ? 'row0' : 'column0'
  const type = isBlock(operand) ? 'mat4x4<f32>' : 'vec4<f32>'
  const fetched = (k0: string, unit: string): string => `fetch_${name}(batch, ${origin}, ${k0}, ${unit}, last)`
  const forAll = (statement: (unit: string, next: string) => string): string[] =>
    each.map(({ next, unit, within }) => `${within}{ ${statement(unit, next)} }`)
  return {
    declare: each.map(({ next }) => `var ${next} = ${type}();`),
    fetch: (k0: string) => forAll((unit, next) => `${next} = ${fetched(k0, unit)};`),
    keep: forAll((unit, next) => `keep_${name}(slice, ${unit}, ${next});`),
    copy: (k0: string) => forAll(unit => `keep_${name}(slice, ${unit}, ${fetched(k0, unit)});`),
  }
}

/** `c<r>_<q>` are four columns of row r: they take one term of the sums at a time, in order. */
const multiplyText = ({ threads, registers, depth }: Tile, vectors: readonly [number, number]): string => {
  const [rows, columns] = registers.map(count => range(count / 4)) as [number[], number[]]
  const read = (letter: string, name: string, own: string, q: number, axis: 0 | 1): string =>
    `let ${letter}${q} = vec4<f32>(slice_${name}[(slice * ${depth}u + k) * ${vectors[axis]}u + ${own} + ${q * threads[axis]}u]);`
  return [
    `for (var k = 0u; k < ${depth}u; k++) {`,
    ...rows.map(q => read('a', 'left', 'row', q, 0)),
    ...columns.map(q => read('b', 'right', 'column', q, 1)),
    ...rows.flatMap(r => ['x', 'y', 'z', 'w'].flatMap((lane, j) => columns.map(c => `c${4 * r + j}_${c} += a${r}.${lane} * b${c};`))),
    '}',
  ].join('\n      ')
}

/**
 * The product as WGSL: a workgroup computes a tile of the result. Slices of both operands go through workgroup memory, laid out so
 * that each thread reads four rows or columns at once and keeps its block in registers. With two slices, what comes next is on its way
 * from memory while one is multiplied.
 */
export const tiledSource = (module: TiledModule): string => {
  const { tile, half, left, right, place, bias, add, inputs, sizes } = module
  const { threads, registers, depth, slices } = tile
  const [rows, columns] = [rowsOf(tile), columnsOf(tile)]
  const [ofLeft, ofRight] = [staged(left, rows, tile), staged(right, columns, tile)]
  const vectorInputs = [left, right].map(({ vector }) => vector?.input)
  const quads = range(registers[1] / 4)
  const both = (statements: (of: typeof ofLeft) => readonly string[]): string => [ofLeft, ofRight].flatMap(statements).join('\n    ')
  const stores = range(registers[0]).flatMap(r =>
    quads.map(c => {
      const row = `row0 + 4u * (row + ${Math.floor(r / 4) * threads[0]}u) + ${r % 4}u`
      return `put(batch, split, ${row}, column0 + 4u * (column + ${c * threads[1]}u), c${r}_${c});`
    }),
  )
  return `${half ? 'enable f16;\n' : ''}${range(inputs)
    .map(i => `@group(0) @binding(${i}) var<storage, read> x${i} : array<${vectorInputs.includes(i) ? 'vec4<f32>' : 'f32'}>;`)
    .join('\n')}
@group(0) @binding(${inputs}) var<storage, read_write> result : array<f32>;
${half ? [powerText, scaleText('left', half.left.set, half.left.input), scaleText('right', half.right.set, half.right.input)].join('\n') : ''}
struct Sizes { ${sizes.map(name => `${name} : u32`).join(', ')} }
@group(0) @binding(${inputs + 1}) var<uniform> dim : Sizes;
fn place(batch : u32, m : u32, n : u32) -> u32 { ${place} }
${operandText(left, rows, module)}
${operandText(right, columns, module)}
fn put(batch : u32, split : u32, m : u32, n0 : u32, values : vec4<f32>) {
  if (m >= dim.m) { return; }
  let start = ${bias === undefined ? '0.0' : `select(0.0, ${bias}, split == 0u)`};
  for (var j = 0u; j < 4u; j++) {
    let n = n0 + j;
    if (n < dim.n) {
      let at = split * dim.length + place(batch, m, n);
      result[at] = values[j]${half ? ' * unscale_left(batch, m) * unscale_right(batch, n)' : ''} + ${add ? 'result[at]' : 'start'};
    }
  }
}
@compute @workgroup_size(${threads[0] * threads[1]})
fn main(@builtin(workgroup_id) group : vec3<u32>, @builtin(local_invocation_index) thread : u32) {
  let batch = group.z / dim.splits;
  let split = group.z % dim.splits;
  let row0 = group.y * ${rows}u;
  let column0 = group.x * ${columns}u;
  let row = thread / ${threads[1]}u;
  let column = thread % ${threads[1]}u;
  let first = split * dim.chunk;
  let last = min(first + dim.chunk, dim.k);
  var slice = 0u;
  ${range(registers[0])
    .flatMap(r => quads.map(c => `var c${r}_${c} = vec4<f32>();`))
    .join(' ')}
    ${slices === 2 ? both(({ declare, fetch }) => [...declare, ...fetch('first')]) : ''}
  for (var k0 = first; k0 < last; k0 += ${depth}u) {
    ${both(({ keep, copy }) => (slices === 2 ? keep : copy('k0')))}
    workgroupBarrier();
    ${slices === 2 ? both(({ fetch }) => fetch(`k0 + ${depth}u`)) : ''}
    ${multiplyText(tile, [rows / 4, columns / 4])}
    ${slices === 2 ? 'slice = 1u - slice;' : 'workgroupBarrier();'}
  }
  ${stores.join('\n  ')}
}`
}

/** The texts of products of plain matrices with every tile that is measured, read in every way. */
export const tiledTexts = (): string =>
  candidateTiles
    .flatMap(tile =>
      [false, true].flatMap(alongK =>
        [undefined, { input: 0, place: '' }].map(vector => {
          const [left, right] = (['left', 'right'] as const).map(name => ({ name, element: '', alongK, vector })) as [Operand, Operand]
          return tiledSource({ tile, left, right, place: '', add: false, inputs: 2, sizes: [] })
        }),
      ),
    )
    .join()
