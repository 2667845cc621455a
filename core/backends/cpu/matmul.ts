import type { Heap } from './heap.ts'
import type { CpuKernel } from './kernel.ts'
import { divide, isWorthThreads, onThreads } from './threads/onThreads.ts'
import { buildBatchedGemm } from './wasm/batchedGemm.ts'
import { carve } from './wasm/convScratch.ts'
import { edgeBytes, tileColumns, tileRows } from './wasm/gemm.ts'
import { type Linked, link } from './wasm/link.ts'

export interface MatmulAttributes {
  readonly transposeA: boolean
  readonly transposeB: boolean
}

/** Block sizes: 128 rows of A (128 KiB packed) stay in the second-level cache while panels of B (8 KiB) pass by. */
const blockRows = 128
const blockColumns = 1024
const blockK = 256
const bytesA = 4 * blockK * blockRows
const bytesB = 4 * blockK * blockColumns

const product = (sizes: readonly number[]): number => sizes.reduce((total, size) => total * size, 1)

/** `batch` products c = a b of the same sizes, each stored behind the one before. */
interface Products extends MatmulAttributes {
  readonly a: number
  readonly b: number
  readonly c: number
  readonly rows: number
  readonly columns: number
  readonly k: number
  readonly batch: number
}

type Range = readonly [first: number, end: number]

/** The products from the first up to the end. */
const productsFrom = ({ a, b, c, rows, columns, k, transposeA, transposeB }: Products, [first, end]: Range): Products => ({
  a: a + 4 * first * rows * k,
  b: b + 4 * first * k * columns,
  c: c + 4 * first * rows * columns,
  rows,
  columns,
  k,
  batch: end - first,
  transposeA,
  transposeB,
})

/** Calls `body` for the blocks [j, j + width) by [l, l + depth) of B, those of the same columns one after the other. */
const eachBlock = (p: Products, columns: Range, body: (block: { j: number; width: number; l: number; depth: number }) => void): void => {
  for (let j = columns[0]; j < columns[1]; j += blockColumns)
    for (let l = 0; l < p.k; l += blockK) body({ j, width: Math.min(blockColumns, columns[1] - j), l, depth: Math.min(blockK, p.k - l) })
}

type Block = Parameters<Parameters<typeof eachBlock>[2]>[0]

/** Packs some panels of a block of B, 8 columns each. */
const packPanels = (wasm: Linked, p: Products, { j, width, l, depth }: Block, packedB: number, [first, end]: Range): void => {
  const { b, columns, k } = p
  const to = packedB + 4 * depth * tileColumns * first
  const column = j + tileColumns * first
  const count = Math.min(tileColumns * end, width) - tileColumns * first
  if (p.transposeB) wasm.packTransposed8(to, b + 4 * (column * k + l), count, depth, 4 * k)
  else wasm.packLanes8(to, b + 4 * (l * columns + column), count, depth, 4 * columns)
}

interface Packed {
  readonly packedA: number
  readonly packedB: number
  readonly edge: number
}

/** Adds the product of some rows of A with a packed block of B. */
const multiplyRows = (wasm: Linked, p: Products, { j, width, l, depth }: Block, { packedA, packedB, edge }: Packed, range: Range): void => {
  const { a, c, rows, columns, k } = p
  for (let i = range[0]; i < range[1]; i += blockRows) {
    const height = Math.min(blockRows, range[1] - i)
    if (p.transposeA) wasm.packLanes4(packedA, a + 4 * (l * rows + i), height, depth, 4 * rows)
    else wasm.packTransposed4(packedA, a + 4 * (i * k + l), height, depth, 4 * k)
    const at = c + 4 * (i * columns + j)
    wasm.gemm(packedA, packedB, at, height, width, depth, 16 * depth, 32 * depth, 32, 4 * columns, l > 0 ? 1 : 0, edge, 1, 0, 0, 0)
  }
}

/** Some columns of whole products of any size, on one thread; k outside the rows, so that each panel of B is packed once. */
const multiplyColumns = (wasm: Linked, p: Products, packed: Packed, range: Range): void => {
  for (let item = 0; item < p.batch; item++) {
    const one = productsFrom(p, [item, item + 1])
    eachBlock(one, range, block => {
      packPanels(wasm, one, block, packed.packedB, [0, Math.ceil(block.width / tileColumns)])
      multiplyRows(wasm, one, block, packed, [0, p.rows])
    })
  }
}

const packedAt = (start: number): Packed => ({ packedA: start, packedB: start + bytesA, edge: start + bytesA + bytesB })
const packedBytes = bytesA + bytesB + edgeBytes

/** The units of work are panels of columns; every thread packs all rows, of which there are few. */
const byColumns = (heap: Heap, wasm: Linked, p: Products, nanoseconds: number): void => {
  const shares = divide(heap, { units: Math.ceil(p.columns / tileColumns), nanoseconds })
  const scratch = carve(heap, [], [packedBytes], shares.length)
  onThreads(wasm, shares, (wasm, { index, first, end }) =>
    multiplyColumns(wasm, p, packedAt(scratch[index]), [tileColumns * first, Math.min(p.columns, tileColumns * end)]),
  )
}

/** The units of work are strips of rows of one product after the other; each block of B is packed by all threads first. */
const byRows = (heap: Heap, wasm: Linked, p: Products, nanoseconds: number): void => {
  const blocks = p.batch * Math.ceil(p.k / blockK) * Math.ceil(p.columns / blockColumns)
  const rowShares = divide(heap, { units: Math.ceil(p.rows / tileRows), nanoseconds: nanoseconds / blocks })
  const [packedB, ...scratch] = carve(heap, [bytesB], [bytesA + edgeBytes], rowShares.length)
  for (let item = 0; item < p.batch; item++) {
    const one = productsFrom(p, [item, item + 1])
    eachBlock(one, [0, p.columns], block => {
      const panelShares = divide(heap, { units: Math.ceil(block.width / tileColumns), nanoseconds: block.width * block.depth * packTime })
      onThreads(wasm, panelShares, (wasm, { first, end }) => packPanels(wasm, one, block, packedB, [first, end]))
      onThreads(wasm, rowShares, (wasm, { index, first, end }) => {
        const packed = { packedA: scratch[index], packedB, edge: scratch[index] + bytesA }
        multiplyRows(wasm, one, block, packed, [tileRows * first, Math.min(p.rows, tileRows * end)])
      })
    })
  }
}

/** The units of work are whole products, those of one block each in one call. */
const byProducts = (heap: Heap, wasm: Linked, p: Products, nanoseconds: number): void => {
  const { rows, columns, k, transposeA, transposeB } = p
  const shares = divide(heap, { units: p.batch, nanoseconds, isLast: true })
  const scratch = carve(heap, [], [packedBytes], shares.length)
  const name = `matmul${transposeA ? 'Lanes' : 'Transposed'}${transposeB ? 'Transposed' : 'Lanes'}`
  const [lda, ldb] = [4 * (transposeA ? rows : k), 4 * (transposeB ? k : columns)]
  onThreads(wasm, shares, (wasm, { index, first, end }) => {
    const some = productsFrom(p, [first, end])
    const packed = packedAt(scratch[index])
    const { packedA, packedB, edge } = packed
    if (isOneBlock(p)) wasm[name](some.a, some.b, some.c, packedA, packedB, edge, rows, columns, k, lda, ldb, some.batch)
    else multiplyColumns(wasm, some, packed, [0, columns])
  })
}

const isOneBlock = ({ rows, columns, k }: Products): boolean => rows <= blockRows && columns <= blockColumns && k <= blockK

/** About how many nanoseconds one thread takes for a multiply-add, and for packing a number of B. */
const multiplyTime = 1 / 20
const packTime = 0.5

/** From this many products on, whole ones divide evenly enough. */
const manyProducts = 8
/** Below this many rows it is cheap that every thread packs all of them. */
const fewRows = 64

/**
 * Matrix product of the last two axes: `a: [..., M, K]` (or `[..., K, M]` when `transposeA`) times `b: [..., K, N]` (or
 * `[..., N, K]` when `transposeB`), leading axes equal, into `[..., M, N]`. The sum over k runs in blocks of 256 in order,
 * the same for every element whatever the other sizes and the number of threads.
 */
export const matmul: CpuKernel<MatmulAttributes> = (heap, [a, b], output, { transposeA, transposeB }) => {
  const [rows, columns] = output.shape.slice(-2)
  const k = a.shape[a.shape.length - (transposeA ? 2 : 1)]
  const batch = product(output.shape.slice(0, -2))
  if (k === 0) heap.f32(output.pointer, product(output.shape)).fill(0)
  if (k === 0 || rows * columns * batch === 0) return true
  const wasm = link(heap, 'matmul', buildBatchedGemm)
  const products = { a: a.pointer, b: b.pointer, c: output.pointer, rows, columns, k, batch, transposeA, transposeB }
  const nanoseconds = rows * columns * k * batch * multiplyTime
  if (batch >= manyProducts || !isWorthThreads(heap, nanoseconds)) byProducts(heap, wasm, products, nanoseconds)
  else if (rows < Math.min(columns, fewRows)) byColumns(heap, wasm, products, nanoseconds)
  else byRows(heap, wasm, products, nanoseconds)
  return true
}
