import type { Heap } from '../heap.ts'
import type { ModuleBuilder } from './assembler.ts'
import { emitCopyPlanes } from './convGather.ts'
import { buildGemm } from './gemm.ts'
import { buildGemmHalfPanel } from './gemmHalfPanel.ts'
import { type BuildOptions, type Linked, link } from './link.ts'
import { emitFilter, emitFilterAdjoint, filterScratchBytes } from './winogradFilter.ts'
import { emitTileOutput, emitTileOutputAdjoint } from './winogradOutput.ts'
import { type TileGrid, tilesPerImage } from './winogradPlan.ts'
import { emitTileInput, tileScratchBytes } from './winogradTiles.ts'
import type { WinogradGradientVariant, WinogradVariant } from './winogradTransform.ts'

/**
 * Convolution with 3x3 kernels and stride one by Winograd's F(m x m, 3x3): (m + 2)^2 multiplications for m^2 outputs instead
 * of 9 m^2, so a fourth for F4 and four ninths for F2; with stride two by a relative of it (winogradStrided.ts). Blocks of tiles, of several images where these are small, are
 * transformed, multiplied with the transformed filters at each frequency as a matrix product, and transformed back.
 *
 * Where the result is no multiple of m, the last tiles overlap those before them.
 */

/** Sizes of the correlation for the whole batch; zeros beyond the source on each side may be more than one. */
export type WinogradSize = TileGrid

const emitShared = (m: ModuleBuilder, options: BuildOptions, variant: WinogradVariant): void => {
  buildGemm(m, options)
  emitCopyPlanes(m)
  emitTileInput(m, options.fma, variant)
}

export const linkWinograd = (heap: Heap, variant: WinogradVariant): Linked =>
  link(heap, `winograd ${variant.name}`, (m, options) => {
    emitShared(m, options, variant)
    buildGemmHalfPanel(m, options)
    emitTileOutput(m, options.fma, variant)
    for (const flipped of [false, true]) emitFilter(m, options.fma, { variant, flipped })
  })

export const linkWinogradGradient = (heap: Heap, variant: WinogradGradientVariant): Linked =>
  link(heap, `winograd gradient ${variant.name}`, (m, options) => {
    emitShared(m, options, variant)
    emitTileOutputAdjoint(m, options.fma, variant)
    emitFilterAdjoint(m, options.fma, variant)
  })

/** A gap after each frequency: pitches that are multiples of 4096 bytes would fall on the same cache sets. */
export const gapBytes = 64

/** About how many nanoseconds a thread takes to transform a tile of one channel, or one filter. */
export const tileTime = 18
export const filterTime = 20

export const scratchBytes = Math.max(tileScratchBytes, filterScratchBytes)

/**
 * Tiles per block: enough that the filters, which every block reads from beyond the second-level cache, are worth it. Filters of
 * many channels take longer to read than the tiles of a block, so there a block is larger.
 */
const blockTiles = (sources: number): number => (sources >= 256 ? 128 : 64)
/** No more tiles than this are one block. */
const fewTiles = 128

/**
 * The same for a convolution. Each block of tiles reads all filters, so where these are many up to twice as many tiles are better
 * one block, as long as they, transformed, stay in the third-level cache.
 */
export const fewTilesOf = (sources: number, { size }: WinogradVariant): number => {
  const cached = Math.floor(tilesBudgetBytes / (4 * size ** 2 * sources))
  return sources < 128 ? fewTiles : Math.max(fewTiles, Math.min(2 * fewTiles, cached))
}
const tilesBudgetBytes = 12 * 1024 * 1024

/** One block of tiles of consecutive images. */
export interface TileBlock {
  readonly firstImage: number
  /** Of these images, the first tile and how many. */
  readonly firstTile: number
  readonly tiles: number
  /** Whether the images are the last, fewer than in the other blocks. */
  readonly rest: boolean
}

/** The blocks of a batch, of whole images or parts of one; at most how many tiles they have and how many images they span. */
export const tileBlocks = (
  size: WinogradSize,
  variant: WinogradVariant,
  few: number = fewTiles,
): { blocks: TileBlock[]; length: number; images: number; restImages: number } => {
  const perImage = tilesPerImage(size, variant)
  const length = size.images * perImage <= few ? size.images * perImage : blockTiles(size.sources)
  const images = Math.max(1, Math.min(size.images, Math.floor(length / perImage)))
  const blocks: TileBlock[] = []
  for (let firstImage = 0; firstImage < size.images; firstImage += images) {
    const count = Math.min(images, size.images - firstImage)
    for (let firstTile = 0; firstTile < count * perImage; firstTile += length)
      blocks.push({ firstImage, firstTile, tiles: Math.min(length, count * perImage - firstTile), rest: count < images })
  }
  return { blocks, length, images, restImages: size.images % images }
}

/** Height and width of the sources with zeros around them, as far as the tiles reach. */
const borderedSize = (g: WinogradSize, { outputs, inputs, step }: WinogradVariant) => {
  const reach = (length: number) => step * (length - outputs) + inputs
  return { height: Math.max(g.top + g.height, reach(g.outHeight)), width: Math.max(g.left + g.width, reach(g.outWidth)) }
}

/** Floats of a copy of the sources with zeros around them; 0 where the tile transforms' masks do for them. */
export const borderFloats = (g: WinogradSize, variant: WinogradVariant): number => {
  const { height, width } = borderedSize(g, variant)
  return Math.max(g.top, g.left, height - g.top - g.height, width - g.left - g.width) > 1 ? g.images * g.sources * height * width : 0
}

/** The sizes with the border of zeros among the source, where it needs one. */
export const bordered = (size: WinogradSize, variant: WinogradVariant): WinogradSize =>
  borderFloats(size, variant) === 0 ? size : { ...size, ...borderedSize(size, variant), top: 0, left: 0 }

/** Copies the source to `border`, of the sizes `within`, with zeros around; the address to go on with, its own where none are needed. */
export const withBorder = (
  heap: Heap,
  wasm: Linked,
  { size, within, source, border }: { size: WinogradSize; within: WinogradSize; source: number; border: number },
): number => {
  const { height, width } = within
  if (height === size.height && width === size.width) return source
  const planes = size.images * size.sources
  heap.f32(border, planes * height * width).fill(0)
  const to = border + 4 * (size.top * width + size.left)
  wasm.copyPlanes(to, source, planes, size.height, size.width, 4 * width, 4 * height * width)
  return border
}
