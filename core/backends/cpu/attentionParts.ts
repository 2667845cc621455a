import { edgeBytes, tileColumns, tileRows } from './wasm/gemm.ts'
import type { Linked } from './wasm/link.ts'

/** The sizes of one head: `d` channels, `n` query and `m` key positions. */
export interface Sizes {
  readonly d: number
  readonly n: number
  readonly m: number
}

/**
 * Work on one head whose units may be done by several threads at a time, each with scratch memory `Own` of its own. Parts follow
 * each other; units are the same whoever does them.
 */
export interface Part<Own extends string> {
  readonly units: number
  /** About how long one thread takes for all units. */
  readonly nanoseconds: number
  run(wasm: Linked, own: Readonly<Record<Own, number>>, first: number, end: number): void
}

/** Bytes of what all threads that work on a head share, and of what each has. */
export interface Scratch<Shared extends string, Own extends string> {
  readonly shared: Readonly<Record<Shared, number>>
  readonly own: Readonly<Record<Own, number>>
}

/** Query positions that are handled together: their scores stay in the second-level cache. */
const blockQueries = 64
const blockPanels = blockQueries / tileColumns

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

/** The weights of queries in panels [8 queries][key][8]: their scores with all keys, then the softmax of these. */
const weights = (wasm: Linked, { d, m }: Sizes, product: Product, to: number, layout: Layout): void => {
  multiply(wasm, product, to, layout)
  wasm.softmaxPanels(to, Math.ceil(product.columns / tileColumns), m, 1 / Math.sqrt(d))
}

/** About how many nanoseconds one thread takes for a multiply-add, and to pack a float. */
const [multiplyTime, packTime] = [1 / 20, 1]

/** About how many nanoseconds one thread takes for a head. */
export const forwardTime = ({ d, n, m }: Sizes): number => 2 * d * n * m * multiplyTime
export const gradientTime = ({ d, n, m }: Sizes): number => 5 * d * n * m * multiplyTime

/** Several things to be packed, a unit each. */
const packing = (floats: number, packs: readonly ((wasm: Linked) => void)[]): Part<string> => ({
  units: packs.length,
  nanoseconds: floats * packTime,
  run: (wasm, _, first, end) => {
    for (const pack of packs.slice(first, end)) pack(wasm)
  },
})

type Addresses<Name extends string> = Readonly<Record<Name, number>>

export const forwardScratch = ({ d, m }: Sizes): Scratch<'keys' | 'values', 'queries' | 'scores' | 'edge'> => ({
  shared: { keys: panelBytes(m, d, tileRows), values: panelBytes(d, m, tileRows) },
  own: { queries: panelBytes(blockQueries, d, tileColumns), scores: panelBytes(blockQueries, m, tileColumns), edge: edgeBytes },
})

/** One head: out = V softmax(Q^T K / sqrt d)^T. The units are panels of 8 queries. */
export const forwardParts = (
  s: Sizes,
  p: Addresses<'q' | 'k' | 'v' | 'out'>,
  { keys, values }: Addresses<'keys' | 'values'>,
): readonly Part<'queries' | 'scores' | 'edge'>[] => {
  const { d, n, m } = s
  return [
    packing(2 * d * m, [wasm => wasm.packLanes4(keys, p.k, m, d, 4 * m), wasm => wasm.packTransposed4(values, p.v, d, m, 4 * m)]),
    {
      units: Math.ceil(n / tileColumns),
      nanoseconds: forwardTime(s),
      run(wasm, { queries, scores, edge }, firstPanel, endPanel) {
        for (let panel = firstPanel; panel < endPanel; panel += blockPanels) {
          const first = tileColumns * panel
          const columns = Math.min(n, tileColumns * Math.min(endPanel, panel + blockPanels)) - first
          wasm.packLanes8(queries, p.q + 4 * first, columns, d, 4 * n)
          weights(wasm, s, { a: keys, b: queries, rows: m, columns, k: d }, scores, inPanels(m, edge))
          multiply(wasm, { a: values, b: scores, rows: d, columns, k: m }, p.out + 4 * first, rowMajor(n, edge))
        }
      },
    },
  ]
}

type GradientShared = 'keys' | 'values' | 'keysAcross' | 'w' | 'dw' | 'wTurned' | 'dwTurned' | 'dOutAcross' | 'queriesAcross'

export const gradientScratch = ({ d, m }: Sizes): Scratch<GradientShared, 'lanes' | 'edge'> => {
  // Transposing reads and writes whole blocks of 8 key positions.
  const scores = panelBytes(blockQueries, roundUp(m, tileColumns), tileColumns)
  const [strips, across] = [panelBytes(m, d, tileRows), panelBytes(d, blockQueries, tileRows)]
  return {
    shared: {
      keys: strips,
      values: strips,
      keysAcross: panelBytes(d, m, tileRows),
      w: scores,
      dw: scores,
      wTurned: scores,
      dwTurned: scores,
      dOutAcross: across,
      queriesAcross: across,
    },
    own: { lanes: panelBytes(blockQueries, d, tileColumns), edge: edgeBytes },
  }
}

type GradientPart = Part<'lanes' | 'edge'>
type GradientPointers = Addresses<'q' | 'k' | 'v' | 'dOut' | 'dq' | 'dk' | 'dv'>

/** A block of queries of a head: the first of them and their number. */
interface Block {
  readonly s: Sizes
  readonly p: GradientPointers
  readonly at: Addresses<GradientShared>
  readonly begin: number
  readonly count: number
}

/** Bytes between panels of transposed scores. */
const turnedPanel = (count: number): number => 4 * tileColumns * tileColumns * Math.ceil(count / tileColumns)

/** The weights of the block, dS and dq, and the first two transposed. The units are panels of 8 queries. */
const toQueries = ({ s, p, at, begin, count }: Block): GradientPart => ({
  units: Math.ceil(count / tileColumns),
  nanoseconds: 3 * s.d * count * s.m * multiplyTime,
  run(wasm, { lanes, edge }, first, end) {
    const { d, n, m } = s
    const query = begin + tileColumns * first
    const columns = Math.min(begin + count, begin + tileColumns * end) - query
    const [scores, turned] = [4 * tileColumns * m * first, 4 * tileColumns * tileColumns * first]
    const [w, dw] = [at.w + scores, at.dw + scores]
    wasm.packLanes8(lanes, p.q + 4 * query, columns, d, 4 * n)
    weights(wasm, s, { a: at.keys, b: lanes, rows: m, columns, k: d }, w, inPanels(m, edge))
    wasm.transposePanels(w, at.wTurned + turned, end - first, m, turnedPanel(count))
    wasm.packLanes8(lanes, p.dOut + 4 * query, columns, d, 4 * n)
    multiply(wasm, { a: at.values, b: lanes, rows: m, columns, k: d }, dw, inPanels(m, edge))
    wasm.softmaxGradPanels(w, dw, end - first, m, 1 / Math.sqrt(d))
    wasm.transposePanels(dw, at.dwTurned + turned, end - first, m, turnedPanel(count))
    multiply(wasm, { a: at.keysAcross, b: dw, rows: d, columns, k: m }, p.dq + 4 * query, rowMajor(n, edge))
  },
})

/** What dv and dk get from the block: dOut W^T and Q dS^T. The units are strips of 4 channels. */
const toKeys = ({ s, p, at, begin, count }: Block): GradientPart => ({
  units: Math.ceil(s.d / tileRows),
  nanoseconds: 2 * s.d * count * s.m * multiplyTime,
  run(wasm, { edge }, first, end) {
    const { d, n, m } = s
    const channel = tileRows * first
    const rows = Math.min(d, tileRows * end) - channel
    for (const [source, across, turned, result] of [
      [p.dOut, at.dOutAcross, at.wTurned, p.dv],
      [p.q, at.queriesAcross, at.dwTurned, p.dk],
    ]) {
      const product = { a: across + 4 * channel * count, b: turned, rows, columns: m, k: count, bPanel: turnedPanel(count) }
      wasm.packTransposed4(product.a, source + 4 * (channel * n + begin), rows, count, 4 * n)
      multiply(wasm, product, result + 4 * channel * m, rowMajor(m, edge), begin > 0)
    }
  },
})

/**
 * The gradients of one head. The weights W are computed again, block of queries by block; with dW = V^T dOut and
 * dS = W (dW - Σ W dW) / sqrt d: dq = K dS, then dk = Q dS^T and dv = dOut W^T, which are added up over the blocks in order.
 */
export const gradientParts = (s: Sizes, p: GradientPointers, at: Addresses<GradientShared>): readonly GradientPart[] => {
  const { d, n, m } = s
  const parts: GradientPart[] = [
    packing(3 * d * m, [
      wasm => wasm.packLanes4(at.keys, p.k, m, d, 4 * m),
      wasm => wasm.packLanes4(at.values, p.v, m, d, 4 * m),
      wasm => wasm.packTransposed4(at.keysAcross, p.k, d, m, 4 * m),
    ]),
  ]
  for (let begin = 0; begin < n; begin += blockQueries) {
    const block = { s, p, at, begin, count: Math.min(blockQueries, n - begin) }
    parts.push(toQueries(block), toKeys(block))
  }
  return parts
}
