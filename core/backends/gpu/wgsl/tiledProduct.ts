import type { DeviceArray } from '../device.ts'
import { reduceViews } from '../reduce.ts'
import { type HalfRange, largestOf } from './halfRange.ts'
import { mostWorkgroups } from './indexing.ts'
import { columnsOf, deepest, rowsOf, type Tile, tileName, usualTile } from './tile.ts'
import { type Operand, type TiledModule, tiledSource } from './tiledSource.ts'
import { kindOf, type ProductKind } from './tuning.ts'
import type { WgslDevice } from './wgslKernel.ts'

/** A batch of matrix products [m, k] x [k, n] whose operands are read, and whose results are written, at computed places. */
export interface Product {
  readonly batches: number
  readonly m: number
  readonly n: number
  readonly k: number
  /** Which convolution it is, if one. */
  readonly convolution?: Exclude<ProductKind, 'gemm' | 'skinny'>
  /** Other sizes that the bodies below call `dim.<name>`, as u32 like `dim.m`, `dim.n`, `dim.k`. */
  readonly sizes?: Readonly<Record<string, number>>
  /** Bodies of `fn left(batch: u32, m: u32, k: u32) -> f32` and `fn right(batch: u32, k: u32, n: u32) -> f32`, called in range only. */
  readonly left: string
  readonly right: string
  /** Whether neighbours in memory are neighbours along k (else along m, n): which threads load what follows from it. */
  readonly leftAlongK: boolean
  readonly rightAlongK: boolean
  /**
   * Given where an operand is elements of an input in which rows (along k, or along m, n) follow each other: the input and the
   * place of an element. Read four at a time where rows are of whole vectors; no other operand may then read that input.
   */
  readonly leftVector?: Operand['vector']
  readonly rightVector?: Operand['vector']
  /** How the operands are scaled to half precision; where one is not given, the product stays float32. */
  readonly leftRange?: HalfRange
  readonly rightRange?: HalfRange
  /** Body of `fn place(batch: u32, m: u32, n: u32) -> u32`: where an element of the result goes. */
  readonly place: string
  /** Expression in `batch`, `m` that is added to the elements of a row. */
  readonly bias?: string
  /** The array of `length` elements where `place` puts the result, or which it is added to. Without `values` a new one. */
  readonly into?: { readonly values: DeviceArray | undefined; readonly length: number; readonly add?: boolean }
}

/**
 * Most terms of a sum that one thread adds up. Longer sums are split into partial results that are added afterwards: more
 * threads work, and the float32 rounding error does not grow with the whole length.
 */
const longestSum = 4096

const operandsOf = (product: Product): { left: Operand; right: Operand } => {
  const { m, n, k, left, right, leftAlongK, rightAlongK, leftVector, rightVector } = product
  const whole = (length: number): boolean => length % 4 === 0
  return {
    left: { name: 'left', element: left, alongK: leftAlongK, vector: whole(leftAlongK ? k : m) ? leftVector : undefined },
    right: { name: 'right', element: right, alongK: rightAlongK, vector: whole(rightAlongK ? k : n) ? rightVector : undefined },
  }
}

const sources = new Map<string, string>()

/** The same string every time for the same module. */
const sourceOf = (product: Product, chosen: Pick<TiledModule, 'tile' | 'half' | 'sizes' | 'inputs'>): string => {
  const { place, bias, into } = product
  const { left, right } = operandsOf(product)
  const operand = ({ element, alongK, vector }: Operand) => [element, alongK, vector?.input, vector?.place]
  const { tile, half, inputs, sizes } = chosen
  const key = [
    tileName(tile),
    half?.left.set,
    half?.right.set,
    ...operand(left),
    ...operand(right),
    place,
    bias,
    into?.add,
    inputs,
    ...sizes,
  ].join('|')
  let code = sources.get(key)
  if (code === undefined) {
    code = tiledSource({ ...chosen, left, right, place, bias, add: into?.add ?? false })
    sources.set(key, code)
  }
  return code
}

/** The largest sizes that scale the operands to half precision; undefined where the product stays float32. */
const largestSizes = (device: WgslDevice, { leftRange, rightRange }: Product, inputs: readonly DeviceArray[]) => {
  if (!device.wgsl?.half || !leftRange || !rightRange) return undefined
  const [left, right] = [leftRange, rightRange].map(each => largestOf(device, each, inputs))
  if (!left || !right) return undefined
  const sets = { left: { input: inputs.length, set: leftRange.set }, right: { input: inputs.length + 1, set: rightRange.set } }
  return { arrays: [left, right], sets }
}

/**
 * Computes a product. The terms of each sum are added in the order of k, in parts that do not depend on the tile. Undefined when
 * it takes more workgroups than WebGPU promises.
 */
export const tiledProduct = (
  device: WgslDevice,
  product: Product,
  inputs: readonly DeviceArray[],
  given?: Tile,
): DeviceArray | undefined => {
  const { batches, m, n, k, convolution, into } = product
  const splits = into ? 1 : Math.ceil(k / longestSum)
  const extent = { batches: batches * splits, m, n }
  const tile = given ?? device.wgsl?.tileFor?.(kindOf(extent, convolution), extent) ?? usualTile(extent)
  const workgroups = [Math.ceil(n / columnsOf(tile)), Math.ceil(m / rowsOf(tile)), batches * splits] as const
  if (workgroups.some(count => count > mostWorkgroups)) return undefined
  const length = batches * m * n
  const chunk = Math.ceil(k / splits / deepest) * deepest
  const sizes = { batches, m, n, k, splits, chunk, length, ...product.sizes }
  const half = largestSizes(device, product, inputs)
  const read = [...inputs, ...(half?.arrays ?? [])]
  const code = sourceOf(product, { tile, half: half?.sets, sizes: Object.keys(sizes), inputs: read.length })
  const shader = { code, workgroups, length: into?.length ?? length * splits }
  const partial = device.dispatch(shader, read, { sizes: Object.values(sizes), ...(into?.values && { into: into.values }) })
  if (splits === 1) return partial
  return reduceViews(device, {
    combine: 'add',
    kept: [length],
    length: splits,
    views: [{ values: partial, strides: [1], step: length }],
  })
}
