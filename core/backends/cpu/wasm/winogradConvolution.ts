import type { Heap } from '../heap.ts'
import { divide, onThreads } from '../threads/onThreads.ts'
import { multiplyAddsPerNanosecond } from './convBlocks.ts'
import { carve, put } from './convScratch.ts'
import { edgeBytes } from './gemm.ts'
import type { Linked } from './link.ts'
import {
  borderFloats,
  gapBytes,
  linkWinograd,
  scratchBytes,
  type TileBlock,
  tileBlocks,
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

/**
 * result: [images, results, outHeight, outWidth] from source: [images, sources, height, width]. With many tiles all filters
 * are transformed first and blocks of tiles go through all of them; with few, all tiles are transformed first and blocks of
 * filters are used while they are in the cache. The bits are the same, and do not depend on the other images.
 */
export const winogradConvolution = (heap: Heap, variant: WinogradVariant, whole: WinogradSize, o: WinogradConvolution): void => {
  const { sources, results } = whole
  const frequencies = variant.size ** 2
  const { blocks, length, images, restImages } = tileBlocks(whole, variant)
  const few = blocks.length === 1
  // The half panel takes two strips of four filters at a time.
  const filterRows = 8 * Math.max(1, Math.floor(filterBudgetBytes / (32 * frequencies * sources)))
  const channels = Math.min(few ? filterRows : blockChannels, 4 * Math.ceil(results / 4))
  const filterPitch = 4 * (few ? channels : 4 * Math.ceil(results / 4)) * sources + gapBytes
  const blockColumns = 8 * Math.ceil(length / 8)
  const sourcePitch = 4 * blockColumns * sources + gapBytes
  const productPitch = 4 * blockColumns * channels + gapBytes

  const totalTiles = blocks.reduce((total, block) => total + block.tiles, 0)
  const nanoseconds = (frequencies * totalTiles * sources * results) / multiplyAddsPerNanosecond + 4 * sources * results
  const shares = divide(heap, { units: few ? Math.ceil(results / channels) : blocks.length, nanoseconds })
  const groups = 2 * Math.ceil(Math.max(length, totalTiles / whole.images) / 8) + 2
  const strips = Math.ceil(results / 4)
  const preparation = divide(
    heap,
    few ? { units: sources, nanoseconds: 4 * totalTiles * sources } : { units: strips, nanoseconds: 6 * sources * results },
  )
  const places = Array.from({ length: Math.max(shares.length, preparation.length) })
  const perPlace = [frequencies * productPitch, scratchBytes, edgeBytes, frequencies * (few ? filterPitch : sourcePitch)]
  // In the adjoint a block's filters lie scattered over all of them, which memory gives slowly: they are brought together first.
  const gathers = few && o.adjoint && results > channels && results % channels === 0
  const [shared, inputs, inputsRest, outputs, outputsRest, zero, border, gathered, ...perShare] = carve(heap, [
    frequencies * (few ? sourcePitch : filterPitch),
    ...[4 * inputTableInts * groups, 4 * inputTableInts * groups, 4 * outputTableInts * groups, 4 * outputTableInts * groups],
    4,
    4 * borderFloats(whole, variant),
    gathers ? 36 * sources * results : 0,
    ...places.flatMap(() => perPlace),
  ])
  const linked = linkWinograd(heap, variant)
  const { size, source } = withBorder(heap, linked, { variant, size: whole, source: o.source, border })
  for (const [count, input, output] of [
    [images, inputs, outputs],
    [restImages, inputsRest, outputsRest],
  ]) {
    if (count === 0) continue
    const plan = convolutionPlan({ ...size, images: count }, variant)
    put(heap, input, plan.input)
    put(heap, output, plan.output)
  }
  heap.view.f32[zero >>> 2] = 0

  const planeBytes = 4 * size.height * size.width
  const outPlaneBytes = 4 * size.outHeight * size.outWidth
  const [rowPitch, columnPitch] = gathers ? [36, 36 * channels] : o.adjoint ? [36, 36 * results] : [36 * sources, 36]
  const ofShare = (index: number) => {
    const [products, scratch, edge, own] = perShare.slice(4 * index, 4 * index + 4)
    return { products, scratch, edge, own }
  }

  const transformFilters = (wasm: Linked, { to, first, rows, scratch }: Record<'to' | 'first' | 'rows' | 'scratch', number>) => {
    const transform = o.adjoint ? wasm.filterFlipped : wasm.filterForward
    const weight = gathers ? gathered + 36 * sources * first : o.weight + first * rowPitch
    transform(to, weight, rows, sources, rowPitch, columnPitch, filterPitch, scratch)
  }
  const groupsOf = ({ tiles }: TileBlock) => Math.ceil(tiles / 4)
  const transformTiles = (
    wasm: Linked,
    block: TileBlock,
    { to, first, count, scratch }: Record<'to' | 'first' | 'count' | 'scratch', number>,
  ) => {
    const from = source + (block.firstImage * sources + first) * planeBytes
    const table = (block.rest ? inputsRest : inputs) + block.firstTile * inputTableInts
    wasm.tileInput(to + 32 * first, from, table, groupsOf(block), count, 32, planeBytes, 32 * sources, sourcePitch, 4 * size.width, scratch)
  }
  /** Result channels `first` to `first + rows` of a block from its transformed tiles and the channels' filters. */
  const multiply = (
    wasm: Linked,
    block: TileBlock,
    { tiles, filters, first, rows, share }: Record<'tiles' | 'filters' | 'first' | 'rows', number> & { share: ReturnType<typeof ofShare> },
  ) => {
    const { products, edge, scratch } = share
    const padded = 4 * Math.ceil(rows / 4)
    const count = groupsOf(block)
    const panels = Math.floor(count / 2)
    const pitches = [frequencies, filterPitch, sourcePitch, productPitch]
    if (panels > 0) {
      const strides = [16 * sources, 32 * sources, 32 * padded, 32]
      wasm.gemmFewPanels(filters, tiles, products, padded, 8 * panels, sources, ...strides, 0, edge, ...pitches)
    }
    if (count % 2 === 1) {
      const [from, into] = [tiles + 32 * sources * panels, products + 32 * padded * panels]
      wasm.gemmHalfPanel(filters, from, into, padded, sources, 16 * sources, 32, ...pitches)
    }
    const to = o.result + (block.firstImage * results + first) * outPlaneBytes
    const table = (block.rest ? outputsRest : outputs) + block.firstTile * outputTableInts
    const [bias, biasPitch] = o.bias ? [o.bias + 4 * first, 4] : [zero, 0]
    const places = [32, outPlaneBytes, 32 * padded, productPitch, 4 * size.outWidth]
    wasm.tileOutput(products, to, table, count, rows, ...places, scratch, bias, biasPitch)
  }

  onThreads(linked, preparation, (wasm, { index, first, end }) => {
    const { scratch } = ofShare(index)
    if (gathers) {
      const [from, to] = [o.weight + 36 * results * first, gathered + 36 * channels * first]
      wasm.copyPlanes(to, from, end - first, results / channels, 9 * channels, 36 * channels * sources, 36 * channels)
    }
    if (few) transformTiles(wasm, blocks[0], { to: shared, first, count: end - first, scratch })
    else {
      const rows = Math.min(results, 4 * end) - 4 * first
      transformFilters(wasm, { to: shared + 16 * first * sources, first: 4 * first, rows, scratch })
    }
  })
  const overChannels = (body: (first: number, rows: number) => void, first = 0, end = results) => {
    for (let c = first; c < Math.min(results, end); c += channels) body(c, Math.min(channels, results - c))
  }
  onThreads(linked, shares, (wasm, { index, first, end }) => {
    const share = ofShare(index)
    const { own, scratch } = share
    if (few) {
      const body = (c: number, rows: number) => {
        transformFilters(wasm, { to: own, first: c, rows, scratch })
        multiply(wasm, blocks[0], { tiles: shared, filters: own, first: c, rows, share })
      }
      overChannels(body, first * channels, end * channels)
    } else {
      for (const block of blocks.slice(first, end)) {
        transformTiles(wasm, block, { to: own, first: 0, count: sources, scratch })
        overChannels((c, rows) => multiply(wasm, block, { tiles: own, filters: shared + 4 * c * sources, first: c, rows, share }))
      }
    }
  })
}
