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

/** Bytes between the rows and between the 8-column panels of a result, and the address of `edgeBytes` for `gemm`. */
interface Layout {
  readonly row: number
  readonly panel: number
  readonly edge: number
}

const rowMajor = (columns: number, edge: number): Layout => ({ row: 4 * columns, panel: 4 * tileColumns, edge })

/** What the next product reads as its right operand. */
const inPanels = (rows: number, edge: number): Layout => ({ row: 4 * tileColumns, panel: 4 * tileColumns * rows, edge })

/** Packed operands at `a` and `b`, and the bytes between the panels of b where something lies between them. */
interface Product {
  readonly a: number
  readonly b: number
  readonly rows: number
  readonly columns: number
  readonly k: number
  readonly bPanel?: number
}

/** c = a b, or c += a b; see `gemm`. */
const multiply = (wasm: Linked, p: Product, c: number, { row, panel, edge }: Layout, adding = false): void => {
  const { a, b, rows, columns, k, bPanel = 4 * tileColumns * k } = p
  const gemm = columns * k <= firstLevelFloats ? wasm.gemmFewPanels : wasm.gemm
  gemm(a, b, c, rows, columns, k, 4 * tileRows * k, bPanel, panel, row, adding ? 1 : 0, edge, 1, 0, 0, 0)
}

/** The weights of a block of queries in panels [8 queries][key][8]: their scores with all keys, then the softmax of these. */
const weights = (wasm: Linked, { d, m }: Sizes, product: Product, to: number, layout: Layout): void => {
  multiply(wasm, product, to, layout)
  wasm.softmaxPanels(to, Math.ceil(product.columns / tileColumns), m, 1 / Math.sqrt(d))
}

/** Bytes, or addresses, of the parts of a head's scratch memory. */
type ForwardScratch = Record<'keys' | 'values' | 'queries' | 'scores' | 'edge', number>

const forwardScratch = ({ d, m }: Sizes): ForwardScratch => ({
  keys: panelBytes(m, d, tileRows),
  values: panelBytes(d, m, tileRows),
  queries: panelBytes(blockQueries, d, tileColumns),
  scores: panelBytes(blockQueries, m, tileColumns),
  edge: edgeBytes,
})

type ForwardPointers = Record<'q' | 'k' | 'v' | 'out', number>

/** One head: out = V softmax(Q^T K / sqrt d)^T, block of queries by block. */
const forwardHead = (wasm: Linked, s: Sizes, p: ForwardPointers, { keys, values, queries, scores, edge }: ForwardScratch): void => {
  const { d, n, m } = s
  const scoreLayout = inPanels(m, edge)
  const outLayout = rowMajor(n, edge)
  wasm.packLanes4(keys, p.k, m, d, 4 * m)
  wasm.packTransposed4(values, p.v, d, m, 4 * m)
  for (let first = 0; first < n; first += blockQueries) {
    const columns = Math.min(blockQueries, n - first)
    wasm.packLanes8(queries, p.q + 4 * first, columns, d, 4 * n)
    weights(wasm, s, { a: keys, b: queries, rows: m, columns, k: d }, scores, scoreLayout)
    multiply(wasm, { a: values, b: scores, rows: d, columns, k: m }, p.out + 4 * first, outLayout)
  }
}

type GradientScratch = Record<'keys' | 'values' | 'keysAcross' | 'lanes' | 'across' | 'w' | 'dw' | 'turned' | 'edge', number>

const gradientScratch = ({ d, m }: Sizes): GradientScratch => {
  // Transposing reads and writes whole blocks of 8 key positions.
  const scores = panelBytes(blockQueries, roundUp(m, tileColumns), tileColumns)
  const strips = panelBytes(m, d, tileRows)
  return {
    keys: strips,
    values: strips,
    keysAcross: panelBytes(d, m, tileRows),
    lanes: panelBytes(blockQueries, d, tileColumns),
    across: panelBytes(d, blockQueries, tileRows),
    w: scores,
    dw: scores,
    turned: scores,
    edge: edgeBytes,
  }
}

type GradientPointers = Record<'q' | 'k' | 'v' | 'dOut' | 'dq' | 'dk' | 'dv', number>

/** A block of queries: the first and their number. */
interface Block {
  readonly first: number
  readonly count: number
}

/** result += source matrix^T over a block of queries: what each key position gets from all of them. */
const addToKeys = (
  wasm: Linked,
  { d, n, m }: Sizes,
  { first, count }: Block,
  { source, matrix, result }: Record<'source' | 'matrix' | 'result', number>,
  { across, turned, edge }: GradientScratch,
): void => {
  const panels = Math.ceil(count / tileColumns)
  const bPanel = 4 * tileColumns * tileColumns * panels
  wasm.transposePanels(matrix, turned, panels, m, bPanel)
  wasm.packTransposed4(across, source + 4 * first, d, count, 4 * n)
  multiply(wasm, { a: across, b: turned, rows: d, columns: m, k: count, bPanel }, result, rowMajor(m, edge), first > 0)
}

/**
 * The gradients of one head. The weights W are computed again, block by block; with dW = V^T dOut and
 * dS = W (dW - Σ W dW) / sqrt d: dq = K dS, dk = Q dS^T and dv = dOut W^T, the last two added up over the blocks in order.
 */
const gradientHead = (wasm: Linked, s: Sizes, p: GradientPointers, at: GradientScratch): void => {
  const { d, n, m } = s
  const { keys, values, keysAcross, lanes, w, dw, edge } = at
  const scoreLayout = inPanels(m, edge)
  const queryLayout = rowMajor(n, edge)
  wasm.packLanes4(keys, p.k, m, d, 4 * m)
  wasm.packLanes4(values, p.v, m, d, 4 * m)
  wasm.packTransposed4(keysAcross, p.k, d, m, 4 * m)
  for (let first = 0; first < n; first += blockQueries) {
    const count = Math.min(blockQueries, n - first)
    const block = { first, count }
    wasm.packLanes8(lanes, p.q + 4 * first, count, d, 4 * n)
    weights(wasm, s, { a: keys, b: lanes, rows: m, columns: count, k: d }, w, scoreLayout)
    wasm.packLanes8(lanes, p.dOut + 4 * first, count, d, 4 * n)
    multiply(wasm, { a: values, b: lanes, rows: m, columns: count, k: d }, dw, scoreLayout)
    addToKeys(wasm, s, block, { source: p.dOut, matrix: w, result: p.dv }, at)
    wasm.softmaxGradPanels(w, dw, Math.ceil(count / tileColumns), m, 1 / Math.sqrt(d))
    multiply(wasm, { a: keysAcross, b: dw, rows: d, columns: count, k: m }, p.dq + 4 * first, queryLayout)
    addToKeys(wasm, s, block, { source: p.q, matrix: dw, result: p.dk }, at)
  }
}

/** About how many nanoseconds one thread takes for a multiply-add. */
const multiplyTime = 1 / 20

interface Heads<Name extends string> {
  readonly heads: number
  /** Matrix products per head. */
  readonly products: number
  readonly sizes: Sizes
  /** Bytes of the parts of a head's scratch memory. */
  readonly scratch: Readonly<Record<Name, number>>
}

/** Computes every head, which are the units of work, with scratch memory of its own for each thread. */
const eachHead = <Name extends string>(
  heap: Heap,
  { heads, products, sizes: { d, n, m }, scratch }: Heads<Name>,
  compute: (wasm: Linked, head: number, scratch: Record<Name, number>) => void,
): void => {
  const linked = link(heap, 'attention', (module, options) => {
    buildGemm(module, options)
    buildGemmPack(module)
    buildAttentionPanels(module, options.fma)
  })
  const shares = divide(heap, { units: heads, nanoseconds: heads * products * d * n * m * multiplyTime })
  const names = Object.keys(scratch) as Name[]
  const addresses = carve(
    heap,
    shares.flatMap(() => names.map(name => scratch[name])),
  )
  const placed = shares.map((_, share) => {
    const parts = names.map((name, part) => [name, addresses[share * names.length + part]] as const)
    return Object.fromEntries(parts) as Record<Name, number>
  })
  onThreads(linked, shares, (wasm, { index, first, end }) => {
    for (let head = first; head < end; head++) compute(wasm, head, placed[index])
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
