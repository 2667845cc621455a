import type { DeviceArray } from '../device.ts'
import { reduceViews } from '../reduce.ts'
import type { WgslDevice } from './wgslKernel.ts'

/** A batch of matrix products [m, k] x [k, n] whose operands are read, and whose results are written, at computed places. */
export interface Product {
  readonly batches: number
  readonly m: number
  readonly n: number
  readonly k: number
  /** Other sizes that the bodies below call `dim.<name>`, as u32 like `dim.m`, `dim.n`, `dim.k`. */
  readonly sizes?: Readonly<Record<string, number>>
  /** Bodies of `fn left(batch: u32, m: u32, k: u32) -> f32` and `fn right(batch: u32, k: u32, n: u32) -> f32`, called in range only. */
  readonly left: string
  readonly right: string
  /** Whether neighbours in memory are neighbours along k (else along m, n): which threads load what follows from it. */
  readonly leftAlongK: boolean
  readonly rightAlongK: boolean
  /** Body of `fn place(batch: u32, m: u32, n: u32) -> u32`: where an element of the result goes. */
  readonly place: string
  /** Expression in `batch`, `m` that is added to the elements of a row. */
  readonly bias?: string
  /** The array of `length` elements where `place` puts the result, or which it is added to. Without `values` a new one. */
  readonly into?: { readonly values: DeviceArray | undefined; readonly length: number; readonly add?: boolean }
}

const lengthOf = ({ batches, m, n }: Product): number => batches * m * n

/** Threads along each side of a workgroup, and rows and columns that a thread computes in registers (multiples of 4). */
export interface Tile {
  readonly threads: number
  readonly registers: number
}

/** Largest first. */
export const tiles: readonly Tile[] = [
  { threads: 16, registers: 8 },
  { threads: 16, registers: 4 },
  { threads: 8, registers: 4 },
]

const depth = 16

/** Workgroups that keep a device busy; a smaller tile is taken where a larger one gives fewer. */
const enoughGroups = 256

/**
 * Most terms of a sum that one thread adds up. Longer sums are split into partial results that are added afterwards: more
 * threads work, and the float32 rounding error does not grow with the whole length.
 */
const longestSum = 4096

const sideOf = ({ threads, registers }: Tile): number => threads * registers

const groupsOf = ({ batches, m, n }: Product, splits: number, tile: Tile): number =>
  batches * splits * Math.ceil(m / sideOf(tile)) * Math.ceil(n / sideOf(tile))

const chooseTile = (product: Product, splits: number): Tile =>
  tiles.find(tile => groupsOf(product, splits, tile) >= enoughGroups && sideOf(tile) <= 2 * Math.min(product.m, product.n)) ?? tiles.at(-1)!

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

/** Four elements along the tile's side, zero out of range. */
const load = (name: 'left' | 'right'): string => {
  const at = (j: number) => (name === 'left' ? `batch, first + ${j}u, k` : `batch, k, first + ${j}u`)
  const one = (j: number) => `select_${name}(${at(j)}, last)`
  return `fn select_${name}(batch: u32, ${name === 'left' ? 'm: u32, k: u32' : 'k: u32, n: u32'}, last: u32) -> f32 {
  if (${name === 'left' ? 'm' : 'n'} < dim.${name === 'left' ? 'm' : 'n'} && k < last) { return ${name}(batch, ${name === 'left' ? 'm, k' : 'k, n'}); }
  return 0.0;
}
fn four_${name}(batch: u32, first: u32, k: u32, last: u32) -> vec4<f32> {
  return vec4<f32>(${range(4).map(one).join(', ')});
}`
}

/**
 * The product as WGSL: a workgroup computes a square tile of the result. Slices of both operands, `depth` terms deep, go through
 * workgroup memory, transposed so that each thread reads four rows or columns at once and keeps its block in registers.
 */
const source = (product: Product, names: readonly string[], { tile, inputs }: { tile: Tile; inputs: number }): string => {
  const { threads, registers } = tile
  const side = sideOf(tile)
  const [quads, vectors, all] = [registers / 4, side / 4, threads * threads]
  const stage = (name: 'left' | 'right', alongK: boolean, origin: string): string => `
    for (var i = thread; i < ${depth * vectors}u; i += ${all}u) {
      let k = ${alongK ? `i % ${depth}u` : `i / ${vectors}u`};
      let q = ${alongK ? `i / ${depth}u` : `i % ${vectors}u`};
      slice_${name}[k * ${vectors}u + q] = four_${name}(batch, ${origin} + 4u * q, k0 + k, last);
    }`
  const accumulators = range(registers).flatMap(r => range(quads).map(c => `c${r}_${c}`))
  const multiply = range(quads).flatMap(r =>
    ['x', 'y', 'z', 'w'].flatMap((lane, j) => range(quads).map(c => `c${4 * r + j}_${c} += a${r}.${lane} * b${c};`)),
  )
  const stores = range(registers).flatMap(r =>
    range(quads).map(c => {
      const at = (position: string, by: number) => `4u * (${position} + ${by * threads}u)`
      return `put(batch, split, row0 + ${at('row', Math.floor(r / 4))} + ${r % 4}u, column0 + ${at('column', c)}, c${r}_${c});`
    }),
  )
  return `${range(inputs)
    .map(i => `@group(0) @binding(${i}) var<storage, read> x${i} : array<f32>;`)
    .join('\n')}
@group(0) @binding(${inputs}) var<storage, read_write> result : array<f32>;
struct Sizes { ${names.map(name => `${name} : u32`).join(', ')} }
@group(0) @binding(${inputs + 1}) var<uniform> dim : Sizes;
var<workgroup> slice_left : array<vec4<f32>, ${depth * vectors}>;
var<workgroup> slice_right : array<vec4<f32>, ${depth * vectors}>;
fn left(batch: u32, m: u32, k: u32) -> f32 { ${product.left} }
fn right(batch: u32, k: u32, n: u32) -> f32 { ${product.right} }
fn place(batch: u32, m: u32, n: u32) -> u32 { ${product.place} }
${load('left')}
${load('right')}
fn put(batch: u32, split: u32, m: u32, n0: u32, values: vec4<f32>) {
  if (m >= dim.m) { return; }
  let start = ${product.bias === undefined ? '0.0' : `select(0.0, ${product.bias}, split == 0u)`};
  for (var j = 0u; j < 4u; j++) {
    let n = n0 + j;
    if (n < dim.n) {
      let at = split * dim.length + place(batch, m, n);
      result[at] = values[j] + ${product.into?.add ? 'result[at]' : 'start'};
    }
  }
}
@compute @workgroup_size(${all})
fn main(@builtin(workgroup_id) group : vec3<u32>, @builtin(local_invocation_index) thread : u32) {
  let batch = group.z / dim.splits;
  let split = group.z % dim.splits;
  let row0 = group.y * ${side}u;
  let column0 = group.x * ${side}u;
  let row = thread / ${threads}u;
  let column = thread % ${threads}u;
  let first = split * dim.chunk;
  let last = min(first + dim.chunk, dim.k);
  ${accumulators.map(name => `var ${name} = vec4<f32>();`).join(' ')}
  for (var k0 = first; k0 < last; k0 += ${depth}u) {${stage('left', product.leftAlongK, 'row0')}${stage('right', product.rightAlongK, 'column0')}
    workgroupBarrier();
    for (var k = 0u; k < ${depth}u; k++) {
      ${range(quads)
        .map(
          q =>
            `let a${q} = slice_left[k * ${vectors}u + row + ${q * threads}u]; let b${q} = slice_right[k * ${vectors}u + column + ${q * threads}u];`,
        )
        .join(' ')}
      ${multiply.join('\n      ')}
    }
    workgroupBarrier();
  }
  ${stores.join('\n  ')}
}`
}

const sources = new Map<string, string>()

/** The same string every time for the same module. */
const sourceOf = (product: Product, names: readonly string[], options: { tile: Tile; inputs: number }): string => {
  const { left, right, leftAlongK, rightAlongK, place, bias, into } = product
  const { tile, inputs } = options
  const key = [left, right, place, bias, leftAlongK, rightAlongK, into?.add, tile.threads, tile.registers, inputs].join('|')
  let code = sources.get(key)
  if (code === undefined) {
    code = source(product, names, options)
    sources.set(key, code)
  }
  return code
}

/** WebGPU promises no more workgroups along an axis. */
const mostGroups = 65535

/** Computes a product. Undefined when it takes more workgroups than WebGPU promises. */
export const tiledProduct = (
  device: WgslDevice,
  product: Product,
  inputs: readonly DeviceArray[],
  given?: Tile,
): DeviceArray | undefined => {
  const splits = product.into ? 1 : Math.ceil(product.k / longestSum)
  const tile = given ?? chooseTile(product, splits)
  const workgroups = [Math.ceil(product.n / sideOf(tile)), Math.ceil(product.m / sideOf(tile)), product.batches * splits] as const
  const length = lengthOf(product)
  const { batches, m, n, k } = product
  const chunk = Math.ceil(k / splits / depth) * depth
  const sizes = { batches, m, n, k, splits, chunk, length, ...product.sizes }
  if (workgroups.some(count => count > mostGroups)) return undefined
  const code = sourceOf(product, Object.keys(sizes), { tile, inputs: inputs.length })
  const { into } = product
  const shader = { code, workgroups, length: into?.length ?? length * splits }
  const partial = device.dispatch(shader, inputs, { sizes: Object.values(sizes), ...(into?.values && { into: into.values }) })
  if (splits === 1) return partial
  return reduceViews(device, {
    combine: 'add',
    kept: [length],
    length: splits,
    views: [{ values: partial, strides: [1], step: length }],
  })
}
