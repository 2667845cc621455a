import type { Heap } from '../heap.ts'
import { divide, onThreads, type Share } from '../threads/onThreads.ts'
import { copyBytes } from './bulk.ts'
import { multiplyAddsPerNanosecond } from './convBlocks.ts'
import { carve, carveTables, put } from './convScratch.ts'
import { edgeBytes } from './gemm.ts'
import type { Linked } from './link.ts'
import {
  bordered,
  borderFloats,
  filterTime,
  gapBytes,
  linkWinogradGradient,
  scratchBytes,
  type TileBlock,
  tileBlocks,
  tileTime,
  type WinogradSize,
  withBorder,
} from './winograd.ts'
import { weightGradPlan } from './winogradPlan.ts'
import { adjointTableInts, inputTableInts } from './winogradTiles.ts'
import type { WinogradGradientVariant } from './winogradTransform.ts'

/** Bytes of frequency sums that are used at once where all tiles fit one block: they should not leave the cache. */
const sumBudgetBytes = 384 * 1024

/** Runs `body` with the part of first <= i < end that lies in [from, to), counted from `from`. */
const within = ({ first, end }: Share, [from, to]: readonly [number, number], body: (first: number, count: number) => void): void => {
  const [start, stop] = [Math.max(first, from), Math.min(end, to)]
  if (start < stop) body(start - from, stop - start)
}

/**
 * dw: [results, sources, 3, 3] from x: [images, sources, height, width] and dy: [images, results, outHeight, outWidth]; the
 * exact adjoint of the transforms of the convolution. Sums over blocks of tiles run in order, whatever the threads.
 */
export const winogradWeightGrad = (
  heap: Heap,
  variant: WinogradGradientVariant,
  whole: WinogradSize,
  { x, dy, dw }: Record<'x' | 'dy' | 'dw', number>,
): void => {
  const { sources, results } = whole
  const frequencies = variant.size ** 2
  const { blocks, length, images, restImages } = tileBlocks(whole, variant)
  const few = blocks.length === 1
  const panels = Math.ceil(sources / 8)
  const strips = Math.ceil(results / 4)
  const [xPitch, dyPitch] = [32 * panels * length + gapBytes, 16 * strips * length + gapBytes]
  const sumStrips = few ? Math.max(1, Math.floor(sumBudgetBytes / (frequencies * 128 * panels))) : strips
  const sumPitch = 128 * sumStrips * panels + gapBytes
  const perImage = Math.max(length, blocks.reduce((total, block) => total + block.tiles, 0) / whole.images) + 1

  const multiplyAdds = frequencies * length * 32 * panels * strips
  const transformShares = divide(heap, { units: panels + strips, nanoseconds: tileTime * length * (sources + results) })
  const units = Math.ceil(strips / sumStrips)
  // With many blocks the threads share the frequencies: what one adds up then stays its own, and it reads no tile that another reads.
  const productShares = divide(heap, { units: few ? units : frequencies, nanoseconds: multiplyAdds / multiplyAddsPerNanosecond })
  const filterShares = few ? [] : divide(heap, { units: results, nanoseconds: filterTime * sources * results })
  const places = Math.max(transformShares.length, productShares.length, filterShares.length)
  const padded = sources % 8 !== 0
  const tableBytes = [8 * inputTableInts, 8 * inputTableInts, 4 * adjointTableInts, 4 * adjointTableInts].map(bytes => bytes * perImage)
  const sumBytes = frequencies * sumPitch
  const perPlace = [scratchBytes, edgeBytes, few ? sumBytes : 0]
  const [xTiles, dyTiles, sums, filters, border, ...rest] = carve(
    heap,
    [
      frequencies * xPitch,
      frequencies * dyPitch,
      few ? 0 : sumBytes,
      padded ? 288 * panels * results : 0,
      4 * borderFloats(whole, variant),
    ],
    perPlace,
    places,
  )
  const tables = carveTables(heap, [...tableBytes, ...tableBytes])
  const ofShare = ({ index }: Share) => {
    const [scratch, edge, ownSums] = rest.slice(3 * index)
    return { scratch, edge, ownSums }
  }
  const linked = linkWinogradGradient(heap, variant)
  const size = bordered(whole, variant)
  const source = withBorder(heap, linked, { size: whole, within: size, source: x, border })
  for (const [at, count] of [
    [0, images],
    [4, restImages],
  ]) {
    if (count === 0) continue
    const plan = weightGradPlan({ ...size, images: count }, variant)
    for (const [i, table] of [plan.input, plan.inputRest, plan.output, plan.outputRest].entries()) put(heap, tables[at + i], table)
  }

  const planeBytes = 4 * size.height * size.width
  const outPlaneBytes = 4 * size.outHeight * size.outWidth
  const [panel, strip] = [32 * length, 16 * length]
  const transform = (wasm: Linked, block: TileBlock, share: Share) => {
    const { scratch } = ofShare(share)
    const at = block.rest ? 4 : 0
    const input = (first: number, count: number, table: number) => {
      const from = source + (block.firstImage * sources + 8 * first) * planeBytes
      const at = table + 8 * block.firstTile * inputTableInts
      wasm.tileInput(xTiles + first * panel, from, at, 2 * block.tiles, count, panel, 8 * planeBytes, 32, xPitch, 4 * size.width, scratch)
    }
    const output = (first: number, count: number, table: number) => {
      const from = dy + (block.firstImage * results + 4 * first) * outPlaneBytes
      const at = table + 4 * block.firstTile * adjointTableInts
      const to = dyTiles + first * strip
      wasm.tileOutputAdjoint(to, from, at, block.tiles, count, strip, 4 * outPlaneBytes, 32, dyPitch, 4 * size.outWidth, scratch)
    }
    const [wholePanels, wholeStrips] = [Math.floor(sources / 8), Math.floor(results / 4)]
    within(share, [0, wholePanels], (first, count) => input(first, count, tables[at]))
    within(share, [wholePanels, panels], (first, count) => input(wholePanels + first, count, tables[at + 1]))
    within(share, [panels, panels + wholeStrips], (first, count) => output(first, count, tables[at + 2]))
    within(share, [panels + wholeStrips, panels + strips], (first, count) => output(wholeStrips + first, count, tables[at + 3]))
  }
  /** Sums of `count` strips from `first` at `to`, of all frequencies. */
  const multiplyStrips = (wasm: Linked, { tiles, first, count, to, edge }: Record<'tiles' | 'first' | 'count' | 'to' | 'edge', number>) => {
    const a = dyTiles + first * strip
    const [rows, columns] = [4 * count, 8 * panels]
    wasm.gemm(a, xTiles, to, rows, columns, tiles, strip, panel, 128 * count, 32, 0, edge, frequencies, dyPitch, xPitch, sumPitch)
  }
  /** Adds the products of a block to the sums of some frequencies, or begins them. */
  const multiplyBlock = (wasm: Linked, { tiles }: TileBlock, share: Share, adding: number) => {
    const { first, end } = share
    const [a, b, to] = [dyTiles + first * dyPitch, xTiles + first * xPitch, sums + first * sumPitch]
    const [rows, columns, edge] = [4 * strips, 8 * panels, ofShare(share).edge]
    wasm.gemm(a, b, to, rows, columns, tiles, strip, panel, 128 * strips, 32, adding, edge, end - first, dyPitch, xPitch, sumPitch)
  }
  const [target, targetPitch] = padded ? [filters, 288 * panels] : [dw, 36 * sources]
  const filtersFrom = (wasm: Linked, at: number, { first, count, rows, scratch }: Record<'first' | 'count' | 'rows' | 'scratch', number>) =>
    wasm.filterAdjoint(target + first * targetPitch, at, panels, count, targetPitch, 32 * rows, sumPitch, scratch)

  if (few) {
    const [block] = blocks
    onThreads(linked, transformShares, (wasm, share) => transform(wasm, block, share))
    onThreads(linked, productShares, (wasm, share) => {
      const { edge, scratch, ownSums } = ofShare(share)
      for (let first = share.first * sumStrips; first < Math.min(strips, share.end * sumStrips); first += sumStrips) {
        const count = Math.min(sumStrips, strips - first)
        multiplyStrips(wasm, { tiles: block.tiles, first, count, to: ownSums, edge })
        filtersFrom(wasm, ownSums, { first: 4 * first, count: Math.min(4 * count, results - 4 * first), rows: 4 * count, scratch })
      }
    })
  } else {
    blocks.forEach((block, i) => {
      onThreads(linked, transformShares, (wasm, share) => transform(wasm, block, share))
      onThreads(linked, productShares, (wasm, share) => multiplyBlock(wasm, block, share, i))
    })
    onThreads(linked, filterShares, (wasm, share) => {
      const { first, end } = share
      filtersFrom(wasm, sums + 32 * first, { first, count: end - first, rows: 4 * strips, scratch: ofShare(share).scratch })
    })
  }
  if (padded)
    for (let row = 0; row < results; row++)
      copyBytes(heap, { from: filters + row * targetPitch, to: dw + 36 * sources * row, bytes: 36 * sources })
}
