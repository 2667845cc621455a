import type { Heap } from './heap.ts'
import type { CpuArray, CpuKernel } from './kernel.ts'
import { divide, onThreads } from './threads/onThreads.ts'
import { buildAttentionPanels } from './wasm/attentionPanels.ts'
import { carve } from './wasm/convScratch.ts'
import { buildGemm, edgeBytes, tileColumns, tileRows } from './wasm/gemm.ts'
import { buildGemmPack } from './wasm/gemmPack.ts'
import { type Linked, link } from './wasm/link.ts'

export interface AttentionAttributes {
  readonly heads: number
}

/** Query positions that are handled together: their scores stay in the second-level cache. */
const blockQueries = 64

/** The sizes of one head: `d` channels, `n` query and `m` key positions. */
interface Sizes {
  readonly d: number
  readonly n: number
  readonly m: number
}

/** Panels of so many floats stay in the first-level cache while strips of the other operand pass by. */
const firstLevelFloats = 4096

const roundUp = (n: number, multiple: number): number => Math.ceil(n / multiple) * multiple

/** Bytes of [ceil(lanes / width)][k][width] floats. */
const panelBytes = (lanes: number, k: number, width: number): number => 4 * roundUp(lanes, width) * k

/** Products over packed operands; see `gemm`. `row` and `panel` are the bytes between rows and 8-column panels of the result. */
const multiply = (
  wasm: Linked,
  o: { a: number; b: number; c: number; rows: number; columns: number; k: number; bPanel?: number; row: number; panel: number },
  { edge, accumulate = false }: { readonly edge: number; readonly accumulate?: boolean },
): void => {
  const bPanel = o.bPanel ?? 4 * tileColumns * o.k
  const [aStrip, add] = [4 * tileRows * o.k, accumulate ? 1 : 0]
  const gemm = o.columns * o.k <= firstLevelFloats ? wasm.gemmFewPanels : wasm.gemm
  gemm(o.a, o.b, o.c, o.rows, o.columns, o.k, aStrip, bPanel, o.panel, o.row, add, edge, 1, 0, 0, 0)
}

/** Calls `each` with the first query of every block and the number of queries. */
const eachBlock = (n: number, each: (first: number, count: number) => void): void => {
  for (let first = 0; first < n; first += blockQueries) each(first, Math.min(blockQueries, n - first))
}

/** Scores of a block of queries with all keys, then their softmax, in panels [8 queries][key][8]. */
const weights = (
  wasm: Linked,
  { d, m }: Sizes,
  o: { keys: number; queries: number; scores: number; count: number; edge: number },
): void => {
  const result = { c: o.scores, row: 4 * tileColumns, panel: 4 * tileColumns * m }
  multiply(wasm, { ...result, a: o.keys, b: o.queries, rows: m, columns: o.count, k: d }, o)
  wasm.softmaxPanels(o.scores, Math.ceil(o.count / tileColumns), m, 1 / Math.sqrt(d))
}

/** One head: out = V softmax(Q^T K / sqrt d)^T, block of queries by block. */
const forwardHead = (wasm: Linked, s: Sizes, p: { q: number; k: number; v: number; out: number }, scratch: readonly number[]): void => {
  const { d, n, m } = s
  const [keys, values, queries, scores, edge] = scratch
  wasm.packLanes4(keys, p.k, m, d, 4 * m)
  wasm.packTransposed4(values, p.v, d, m, 4 * m)
  eachBlock(n, (first, count) => {
    wasm.packLanes8(queries, p.q + 4 * first, count, d, 4 * n)
    weights(wasm, s, { keys, queries, scores, count, edge })
    const result = { c: p.out + 4 * first, row: 4 * n, panel: 4 * tileColumns }
    multiply(wasm, { ...result, a: values, b: scores, rows: d, columns: count, k: m }, { edge })
  })
}

const forwardScratch = ({ d, m }: Sizes): number[] => [
  panelBytes(m, d, tileRows),
  panelBytes(d, m, tileRows),
  panelBytes(blockQueries, d, tileColumns),
  panelBytes(blockQueries, m, tileColumns),
  edgeBytes,
]

type GradientPointers = Record<'q' | 'k' | 'v' | 'dOut' | 'dq' | 'dk' | 'dv', number>

/**
 * The gradients of one head. The weights W are computed again, block by block; with dW = V^T dOut and
 * dS = W (dW - Σ W dW) / sqrt d: dq = K dS, dk = Q dS^T and dv = dOut W^T, the last two added up over the blocks in order.
 */
const gradientHead = (wasm: Linked, s: Sizes, p: GradientPointers, scratch: readonly number[]): void => {
  const { d, n, m } = s
  const [keys, values, keysAcross, lanes, across, w, dw, turned, edge] = scratch
  wasm.packLanes4(keys, p.k, m, d, 4 * m)
  wasm.packLanes4(values, p.v, m, d, 4 * m)
  wasm.packTransposed4(keysAcross, p.k, d, m, 4 * m)
  eachBlock(n, (first, count) => {
    const panels = Math.ceil(count / tileColumns)
    const byPanel = { row: 4 * tileColumns, panel: 4 * tileColumns * m }
    const pitch = 4 * tileColumns * tileColumns * panels
    const at = 4 * first
    /** result += source matrix^T over the block's queries: what each key position gets from all of them. */
    const toKeys = (source: number, matrix: number, c: number) => {
      wasm.transposePanels(matrix, turned, panels, m, pitch)
      wasm.packTransposed4(across, source + at, d, count, 4 * n)
      const operands = { a: across, b: turned, bPanel: pitch, rows: d, columns: m, k: count }
      multiply(wasm, { ...operands, c, row: 4 * m, panel: 4 * tileColumns }, { edge, accumulate: first > 0 })
    }
    wasm.packLanes8(lanes, p.q + at, count, d, 4 * n)
    weights(wasm, s, { keys, queries: lanes, scores: w, count, edge })
    wasm.packLanes8(lanes, p.dOut + at, count, d, 4 * n)
    multiply(wasm, { a: values, b: lanes, c: dw, ...byPanel, rows: m, columns: count, k: d }, { edge })
    toKeys(p.dOut, w, p.dv)
    wasm.softmaxGradPanels(w, dw, panels, m, 1 / Math.sqrt(d))
    multiply(wasm, { a: keysAcross, b: dw, c: p.dq + at, row: 4 * n, panel: 4 * tileColumns, rows: d, columns: count, k: m }, { edge })
    toKeys(p.q, dw, p.dk)
  })
}

const gradientScratch = ({ d, m }: Sizes): number[] => {
  // Transposing reads and writes whole blocks of 8 key positions.
  const scores = panelBytes(blockQueries, roundUp(m, tileColumns), tileColumns)
  const strips = panelBytes(m, d, tileRows)
  const block = panelBytes(blockQueries, d, tileColumns)
  return [strips, strips, panelBytes(d, m, tileRows), block, panelBytes(d, blockQueries, tileRows), scores, scores, scores, edgeBytes]
}

/** About how many nanoseconds one thread takes for a multiply-add. */
const multiplyTime = 1 / 20

type Head = (wasm: Linked, head: number, scratch: readonly number[]) => void

/** Computes every head, which are the units of work, with scratch memory of its own for each thread. */
const eachHead = (heap: Heap, o: { heads: number; products: number; sizes: Sizes; scratch: readonly number[] }, compute: Head): void => {
  const { d, n, m } = o.sizes
  const wasm = link(heap, 'attention', (module, options) => {
    buildGemm(module, options)
    buildGemmPack(module)
    buildAttentionPanels(module, options.fma)
  })
  const shares = divide(heap, { units: o.heads, nanoseconds: o.heads * o.products * d * n * m * multiplyTime })
  const places = carve(
    heap,
    shares.flatMap(() => o.scratch),
  )
  const parts = o.scratch.length
  onThreads(wasm, shares, (wasm, { index, first, end }) => {
    for (let head = first; head < end; head++) compute(wasm, head, places.slice(index * parts, (index + 1) * parts))
  })
}

/** Undefined where an array is empty. */
const sizesOf = ([query, key]: readonly CpuArray[], { heads }: AttentionAttributes): Sizes | undefined => {
  const [batch, channels, n] = query.shape
  const m = key.shape[2]
  return batch * channels * n * m === 0 ? undefined : { d: channels / heads, n, m }
}

/**
 * Scaled dot-product attention per head, V softmax(Q^T K / sqrt d)^T: query [batch, heads d, n], key and value
 * [batch, heads d, m], output like query. The scores exist for 64 query positions at a time.
 */
export const attention: CpuKernel<AttentionAttributes> = (heap, inputs, output, attributes) => {
  const sizes = sizesOf(inputs, attributes)
  if (!sizes) return false
  const { d, n, m } = sizes
  const [query, key, value] = inputs
  const heads = query.shape[0] * attributes.heads
  eachHead(heap, { heads, products: 2, sizes, scratch: forwardScratch(sizes) }, (wasm, head, scratch) => {
    const [q, k] = [4 * head * d * n, 4 * head * d * m]
    forwardHead(wasm, sizes, { q: query.pointer + q, k: key.pointer + k, v: value.pointer + k, out: output.pointer + q }, scratch)
  })
  return true
}

/** The gradients by query, key and value, one after the other: inputs query, key, value and the gradient of the output. */
export const attentionGrad: CpuKernel<AttentionAttributes> = (heap, inputs, output, attributes) => {
  const sizes = sizesOf(inputs, attributes)
  if (!sizes) return false
  const { d, n, m } = sizes
  const [query, key, value, dOut] = inputs
  const heads = query.shape[0] * attributes.heads
  const dKey = output.pointer + 4 * heads * d * n
  const dValue = dKey + 4 * heads * d * m
  eachHead(heap, { heads, products: 5, sizes, scratch: gradientScratch(sizes) }, (wasm, head, scratch) => {
    const [q, k] = [4 * head * d * n, 4 * head * d * m]
    const given = { q: query.pointer + q, k: key.pointer + k, v: value.pointer + k, dOut: dOut.pointer + q }
    gradientHead(wasm, sizes, { ...given, dq: output.pointer + q, dk: dKey + k, dv: dValue + k }, scratch)
  })
  return true
}
