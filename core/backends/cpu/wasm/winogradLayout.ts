import type { Heap } from '../heap.ts'
import { isWorthThreads, type Work } from '../threads/onThreads.ts'
import { threadCount } from '../threads/pool.ts'
import { multiplyAddsPerNanosecond } from './convBlocks.ts'
import { remember } from './convScratch.ts'
import { edgeBytes } from './gemm.ts'
import {
  bordered,
  borderFloats,
  fewTilesOf,
  filterTime,
  gapBytes,
  scratchBytes,
  type TileBlock,
  tileBlocks,
  tileTime,
  type WinogradSize,
} from './winograd.ts'
import { type ConvolutionPlan, convolutionPlan } from './winogradPlan.ts'
import { inputTableInts, outputTableInts } from './winogradTiles.ts'
import type { WinogradVariant } from './winogradTransform.ts'

/** Result channels per block where there are many tiles: their products should fit the cache beside the tiles. */
const blockChannels = 64
/** Bytes of transformed filters that are used at once where there are few tiles: they should not leave the cache. */
const filterBudgetBytes = 384 * 1024

/** How a convolution of certain sizes is cut and what it takes in memory; pitches in bytes between frequencies. */
export interface WinogradLayout {
  /** The sizes with their border of zeros, if they need one. */
  readonly size: WinogradSize
  readonly frequencies: number
  readonly blocks: readonly TileBlock[]
  /** Whether all tiles are one block. */
  readonly few: boolean
  /** Result channels per block. */
  readonly channels: number
  /** Whether the filters of a block are more than what the cache keeps of all of them. */
  readonly manyFilters: boolean
  readonly filterPitch: number
  readonly sourcePitch: number
  readonly productPitch: number
  readonly preparation: Work
  readonly products: Work
  /** Tables for a block's images, and for the last ones, if those are fewer. */
  readonly plans: readonly [whole: ConvolutionPlan, rest: ConvolutionPlan | undefined]
  /** Bytes of the tables, and of a zero. */
  readonly tableBytes: readonly number[]
  /** Bytes of what threads share: tiles or filters, and the border. */
  readonly sharedBytes: readonly number[]
  /** Bytes of what each thread has: products, scratch memory, edge and its own filters or tiles. */
  readonly ownBytes: readonly number[]
}

const makeLayout = (variant: WinogradVariant, whole: WinogradSize, threads: number): WinogradLayout => {
  const { images: batch, sources, results } = whole
  const frequencies = variant.size ** 2
  const { blocks, length, images, restImages } = tileBlocks(whole, variant, fewTilesOf(sources, variant))
  const few = blocks.length === 1
  const tiles = blocks.reduce((total, block) => total + block.tiles, 0)
  const padded = 4 * Math.ceil(results / 4)
  // The half panel takes two strips of four filters at a time.
  const filterRows = 8 * Math.max(1, Math.floor(filterBudgetBytes / (32 * frequencies * sources)))
  // With few tiles each thread should get filters.
  const ofThread = few && threads > 1 ? 8 * Math.ceil(results / 8 / threads) : padded
  const channels = Math.min(few ? filterRows : blockChannels, ofThread, padded)
  const columns = 8 * Math.ceil(length / 8)
  const filterPitch = 4 * (few ? channels : padded) * sources + gapBytes
  const sourcePitch = 4 * columns * sources + gapBytes
  const productPitch = 4 * columns * channels + gapBytes
  const groups = 2 * Math.ceil(Math.max(length, tiles / batch) / 8) + 2
  const tableBytes = [4 * inputTableInts * groups, 4 * outputTableInts * groups]
  const size = bordered(whole, variant)
  const planFor = (count: number) => convolutionPlan({ ...size, images: count }, variant)
  return {
    size,
    frequencies,
    blocks,
    few,
    channels,
    manyFilters: results > filterRows,
    filterPitch,
    sourcePitch,
    productPitch,
    preparation: few
      ? { units: sources, nanoseconds: tileTime * tiles * sources }
      : { units: padded / 4, nanoseconds: filterTime * sources * results },
    products: { units: few ? Math.ceil(results / channels) : blocks.length, nanoseconds: nanosecondsOf(variant, whole), isLast: true },
    plans: [planFor(images), restImages > 0 ? planFor(restImages) : undefined],
    tableBytes: [...tableBytes, ...tableBytes, 4],
    sharedBytes: [frequencies * (few ? sourcePitch : filterPitch), 4 * borderFloats(whole, variant)],
    ownBytes: [frequencies * productPitch, scratchBytes, edgeBytes, frequencies * (few ? filterPitch : sourcePitch)],
  }
}

/** About how long one thread takes for the products and the filters. */
const nanosecondsOf = (variant: WinogradVariant, { images, outHeight, outWidth, sources, results }: WinogradSize): number => {
  const tiles = images * Math.ceil(outHeight / variant.outputs) * Math.ceil(outWidth / variant.outputs)
  return (variant.size ** 2 * tiles * sources * results) / multiplyAddsPerNanosecond + filterTime * sources * results
}

const rememberLayout = remember<WinogradLayout>()

export const winogradLayout = (heap: Heap, variant: WinogradVariant, w: WinogradSize): WinogradLayout => {
  const threads = isWorthThreads(heap, nanosecondsOf(variant, w)) ? threadCount() : 1
  const sizes = `${w.images} ${w.sources} ${w.height} ${w.width} ${w.results} ${w.outHeight} ${w.outWidth} ${w.top} ${w.left}`
  return rememberLayout(`${variant.name} ${threads} ${sizes}`, () => makeLayout(variant, w, threads))
}
