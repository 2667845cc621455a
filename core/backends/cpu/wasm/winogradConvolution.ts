import type { Heap } from '../heap.ts'
import { divide, isWorthThreads, onThreads } from '../threads/onThreads.ts'
import { threadCount } from '../threads/pool.ts'
import { multiplyAddsPerNanosecond } from './convBlocks.ts'
import { carve, put } from './convScratch.ts'
import { edgeBytes } from './gemm.ts'
import type { Linked } from './link.ts'
import {
  borderFloats,
  fewTilesOf,
  filterTime,
  gapBytes,
  linkWinograd,
  scratchBytes,
  type TileBlock,
  tileBlocks,
  tileTime,
  type WinogradSize,
  withBorder,
} from './winograd.ts'
import { convolutionPlan } from './winogradPlan.ts'
import { inputTableInts, outputTableInts } from './winogradTiles.ts'
import type { WinogradVariant } from './winogradTransform.ts'

/** Result channels per block where there are many tiles: their products should fit the cache beside the tiles. */
const blockChannels = 64
/** Bytes of transformed filters that are used at once where there are few tiles: they should not leave the cache. */
const filterBudgetBytes = 384 * 1024

export interface WinogradConvolution {
  readonly source: number
  readonly weight: number
  /** Address of the bias, or 0 for none. */
  readonly bias: number
  readonly result: number
  /** Whether this is the input gradient: dy to dx, with the kernels turned round. */
  readonly adjoint: boolean
}

/** How the work is cut and what it takes in memory; pitches in bytes between frequencies. */
const layoutOf = (heap: Heap, variant: WinogradVariant, whole: WinogradSize) => {
  const { sources, results } = whole
  const frequencies = variant.size ** 2
  const tiling = tileBlocks(whole, variant, fewTilesOf(sources, variant))
  const { blocks, length } = tiling
  const few = blocks.length === 1
  const tiles = blocks.reduce((total, block) => total + block.tiles, 0)
  const nanoseconds = (frequencies * tiles * sources * results) / multiplyAddsPerNanosecond + filterTime * sources * results
  const padded = 4 * Math.ceil(results / 4)
  // The half panel takes two strips of four filters at a time.
  const filterRows = 8 * Math.max(1, Math.floor(filterBudgetBytes / (32 * frequencies * sources)))
  // With few tiles each thread should get filters.
  const ofThread = few && isWorthThreads(heap, nanoseconds) ? 8 * Math.ceil(results / 8 / threadCount()) : padded
  const channels = Math.min(few ? filterRows : blockChannels, ofThread, padded)
  const columns = 8 * Math.ceil(length / 8)
  return {
    ...tiling,
    frequencies,
    few,
    channels,
    /** Whether the filters of a block are more than what the cache keeps of all of them. */
    manyFilters: results > filterRows,
    filterPitch: 4 * (few ? channels : padded) * sources + gapBytes,
    sourcePitch: 4 * columns * sources + gapBytes,
    productPitch: 4 * columns * channels + gapBytes,
    groups: 2 * Math.ceil(Math.max(length, tiles / whole.images) / 8) + 2,
    preparation: divide(
      heap,
      few
        ? { units: sources, nanoseconds: tileTime * tiles * sources }
        : { units: padded / 4, nanoseconds: filterTime * sources * results },
    ),
    shares: divide(heap, { units: few ? Math.ceil(results / channels) : blocks.length, nanoseconds }),
  }
}

/**
 * result: [images, results, outHeight, outWidth] from source: [images, sources, height, width]. With many tiles all filters
 * are transformed first and blocks of tiles go through all of them; with few, all tiles are transformed first and blocks of
 * filters are used while they are in the cache. The bits are the same, and do not depend on the other images.
 */
export const winogradConvolution = (heap: Heap, variant: WinogradVariant, whole: WinogradSize, o: WinogradConvolution): void => {
  const { sources, results } = whole
  const layout = layoutOf(heap, variant, whole)
  const { frequencies, blocks, few, channels, filterPitch, sourcePitch, productPitch, groups, preparation, shares } = layout
  const places = Array.from({ length: Math.max(shares.length, preparation.length) })
  const perPlace = [frequencies * productPitch, scratchBytes, edgeBytes, frequencies * (few ? filterPitch : sourcePitch)]
  // In the adjoint a block's filters lie scattered over all of them, which memory gives slowly: they are brought together first.
  const gathers = few && o.adjoint && layout.manyFilters && results % channels === 0
  const tableBytes = [4 * inputTableInts * groups, 4 * outputTableInts * groups]
  const [shared, inputs, outputs, inputsRest, outputsRest, zero, border, gathered, ...perShare] = carve(heap, [
    frequencies * (few ? sourcePitch : filterPitch),
    ...tableBytes,
    ...tableBytes,
    4,
    4 * borderFloats(whole, variant),
    gathers ? 36 * sources * results : 0,
    ...places.flatMap(() => perPlace),
  ])
  const linked = linkWinograd(heap, variant)
  const { size, source } = withBorder(heap, linked, { variant, size: whole, source: o.source, border })
  for (const [images, input, output] of [
    [layout.images, inputs, outputs],
    [layout.restImages, inputsRest, outputsRest],
  ]) {
    if (images === 0) continue
    const plan = convolutionPlan({ ...size, images }, variant)
    put(heap, input, plan.input)
    put(heap, output, plan.output)
  }
  heap.view.f32[zero >>> 2] = 0

  const [plane, row] = [4 * size.height * size.width, 4 * size.width]
  const [outPlane, outRow] = [4 * size.outHeight * size.outWidth, 4 * size.outWidth]
  const [filterRow, filterColumn] = gathers ? [36, 36 * channels] : o.adjoint ? [36, 36 * results] : [36 * sources, 36]
  const groupsOf = ({ tiles }: TileBlock) => Math.ceil(tiles / 4)
  const placeOf = (index: number) => {
    const [products, scratch, edge, own] = perShare.slice(4 * index, 4 * index + 4)
    return { products, scratch, edge, own }
  }

  const transformFilters = (wasm: Linked, to: number, first: number, count: number, scratch: number) => {
    const transform = o.adjoint ? wasm.filterFlipped : wasm.filterForward
    const weight = gathers ? gathered + 36 * sources * first : o.weight + first * filterRow
    transform(to, weight, count, sources, filterRow, filterColumn, filterPitch, scratch)
  }
  const transformTiles = (wasm: Linked, block: TileBlock, tiles: number, [first, end]: readonly [number, number], scratch: number) => {
    const from = source + (block.firstImage * sources + first) * plane
    const table = (block.rest ? inputsRest : inputs) + block.firstTile * inputTableInts
    const to = tiles + 32 * first
    wasm.tileInput(to, from, table, groupsOf(block), end - first, 32, plane, 32 * sources, sourcePitch, row, scratch)
  }
  /** Result channels `first` to `first + count` of a block from its transformed tiles and the channels' filters. */
  const multiply = (
    wasm: Linked,
    block: TileBlock,
    {
      tiles: b,
      filters: a,
      first,
      count,
      place,
    }: Record<'tiles' | 'filters' | 'first' | 'count', number> & { place: ReturnType<typeof placeOf> },
  ) => {
    const { products: c, edge, scratch } = place
    const rows = 4 * Math.ceil(count / 4)
    const panels = Math.floor(groupsOf(block) / 2)
    const [strip, panel, height] = [16 * sources, 32 * sources, 32 * rows]
    if (panels > 0) {
      const [columns, f] = [8 * panels, frequencies]
      wasm.gemmFewPanels(a, b, c, rows, columns, sources, strip, panel, height, 32, 0, edge, f, filterPitch, sourcePitch, productPitch)
    }
    if (groupsOf(block) % 2 === 1) {
      const [half, into] = [b + panel * panels, c + height * panels]
      wasm.gemmHalfPanel(a, half, into, rows, sources, strip, 32, frequencies, filterPitch, sourcePitch, productPitch)
    }
    const to = o.result + (block.firstImage * results + first) * outPlane
    const table = (block.rest ? outputsRest : outputs) + block.firstTile * outputTableInts
    const [bias, step] = o.bias ? [o.bias + 4 * first, 4] : [zero, 0]
    wasm.tileOutput(c, to, table, groupsOf(block), count, 32, outPlane, height, productPitch, outRow, scratch, bias, step)
  }

  onThreads(linked, preparation, (wasm, { index, first, end }) => {
    const { scratch } = placeOf(index)
    if (gathers) {
      const [from, to] = [o.weight + 36 * results * first, gathered + 36 * channels * first]
      wasm.copyPlanes(to, from, end - first, results / channels, 9 * channels, 36 * channels * sources, 36 * channels)
    }
    if (few) transformTiles(wasm, blocks[0], shared, [first, end], scratch)
    else transformFilters(wasm, shared + 16 * first * sources, 4 * first, Math.min(results, 4 * end) - 4 * first, scratch)
  })
  onThreads(linked, shares, (wasm, { index, first: firstUnit, end: endUnit }) => {
    const place = placeOf(index)
    const { own, scratch } = place
    if (few) {
      for (let first = firstUnit * channels; first < Math.min(results, endUnit * channels); first += channels) {
        const count = Math.min(channels, results - first)
        transformFilters(wasm, own, first, count, scratch)
        multiply(wasm, blocks[0], { tiles: shared, filters: own, first, count, place })
      }
      return
    }
    for (const block of blocks.slice(firstUnit, endUnit)) {
      transformTiles(wasm, block, own, [0, sources], scratch)
      for (let first = 0; first < results; first += channels) {
        const count = Math.min(channels, results - first)
        multiply(wasm, block, { tiles: own, filters: shared + 4 * first * sources, first, count, place })
      }
    }
  })
}
