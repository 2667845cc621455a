import type { Heap } from '../heap.ts'
import type { ModuleBuilder } from './assembler.ts'
import { carve, put } from './convScratch.ts'
import { buildGemm, edgeBytes } from './gemm.ts'
import { type BuildOptions, link } from './link.ts'
import { buildWinogradFilter, filterScratchBytes } from './winogradFilter.ts'
import { emitTileOutput, emitTileOutputAdjoint } from './winogradOutput.ts'
import { convolutionPlan, type WinogradPlan, weightGradPlan } from './winogradPlan.ts'
import { emitTileInput, inputTableInts, outputTableInts, tileScratchBytes } from './winogradTiles.ts'
import { outputSize, transformSize } from './winogradTransform.ts'

/**
 * Convolution with 3x3 kernels, stride one and padding one by Winograd's F(4x4, 3x3): 36 multiplications for 16 outputs
 * instead of 144. Blocks of tiles, of several images where these are small, are transformed, multiplied with the
 * transformed filters at each of the 36 frequencies as a matrix product, and transformed back.
 *
 * Error: at most 1e-5 of the largest result against float64 (typically 1e-6, 3e-6 with 256 channels; the direct path 5e-7). The bits of an
 * image do not depend on the others, since every tile is a lane of its own.
 */

const frequencies = transformSize * transformSize

/** Result channels per block, and tiles per block: the transformed tiles and products should fit the second-level cache. */
const blockChannels = 64
const tilesPerBlock = (channels: number) => (channels > 64 ? 32 : 64)

/** A gap after each frequency: pitches that are multiples of 4096 bytes would fall on the same cache sets. */
const gapBytes = 64

const build = (m: ModuleBuilder, options: BuildOptions): void => {
  buildGemm(m, options)
  for (const emit of [emitTileInput, emitTileOutput, emitTileOutputAdjoint]) emit(m, options.fma)
  buildWinogradFilter(m, options)
}

export interface WinogradSize {
  readonly batch: number
  readonly height: number
  readonly width: number
  readonly inChannels: number
  readonly outChannels: number
}

/** Runs `body` for blocks of whole images, the last with fewer: its plan, and the first image. */
const overImages = (
  { batch, height, width }: WinogradSize,
  blockTiles: number,
  plan: (images: { images: number; height: number; width: number }) => WinogradPlan,
  body: (plan: WinogradPlan, first: number) => void,
): void => {
  const perImage = (height * width) / outputSize ** 2
  const images = Math.max(1, Math.min(batch, Math.floor(blockTiles / perImage)))
  const whole = plan({ images, height, width })
  for (let n = 0; n < batch; n += images) body(n + images <= batch ? whole : plan({ images: batch - n, height, width }), n)
}

/**
 * The tile transform reads one float beyond the last row. At the very end of the memory that would trap, so an array
 * there is copied to `spare` first; `spareBytes` says how much room that needs.
 */
const spareBytes = (heap: Heap, pointer: number, bytes: number) => (pointer + bytes + 4 > heap.view.u8.length ? bytes + 64 : 0)
const awayFromEnd = (heap: Heap, pointer: number, bytes: number, spare: number): number => {
  if (spareBytes(heap, pointer, bytes) === 0) return pointer
  heap.view.u8.copyWithin(spare, pointer, pointer + bytes)
  return spare
}

interface Convolution {
  readonly source: number
  readonly weight: number
  /** Address of the bias, or 0 for none. */
  readonly bias: number
  readonly result: number
  /** Whether this is the input gradient: dy to dx, with the kernels turned round. */
  readonly adjoint: boolean
}

/** y from x, or dx from dy: [batch, channels, height, width], height and width multiples of four. */
export const winogradConvolution = (heap: Heap, size: WinogradSize, { source, weight, bias, result, adjoint }: Convolution): void => {
  const { height, width, batch } = size
  const [sources, results] = adjoint ? [size.outChannels, size.inChannels] : [size.inChannels, size.outChannels]
  const blockTiles = tilesPerBlock(Math.max(sources, results))
  const rowBytes = 4 * width
  const planeBytes = rowBytes * height
  const strips = Math.ceil(results / 4)
  const filterPitch = 16 * strips * sources + gapBytes
  const sourcePitch = 4 * blockTiles * sources + gapBytes
  const productPitch = 4 * blockTiles * Math.min(4 * strips, blockChannels) + gapBytes
  const sourceBytes = batch * sources * planeBytes
  const perImage = (height * width) / outputSize ** 2
  const groups = 2 * Math.ceil(Math.max(blockTiles, perImage) / 8)

  const [filters, tiles, products, inputTable, outputTable, scratch, edge, zero, spare] = carve(heap, [
    frequencies * filterPitch,
    frequencies * sourcePitch,
    frequencies * productPitch,
    4 * inputTableInts * groups,
    4 * outputTableInts * groups,
    Math.max(tileScratchBytes, filterScratchBytes),
    edgeBytes,
    4,
    spareBytes(heap, source, sourceBytes),
  ])
  const wasm = link(heap, 'winograd', build)
  heap.view.f32[zero >>> 2] = 0
  const from = awayFromEnd(heap, source, sourceBytes, spare)
  const perOut = 36 * size.inChannels
  if (adjoint) wasm.filterFlipped(filters, weight, results, sources, 36, perOut, filterPitch, scratch)
  else wasm.filterForward(filters, weight, results, sources, perOut, 36, filterPitch, scratch)

  let placed: WinogradPlan | undefined
  const run = (plan: WinogradPlan, first: number) => {
    if (plan !== placed) {
      put(heap, inputTable, plan.input)
      put(heap, outputTable, plan.output)
      placed = plan
    }
    const images = from + first * sources * planeBytes
    for (let t = 0; t < plan.tiles; t += blockTiles) {
      const count = 2 * Math.ceil(Math.min(blockTiles, plan.tiles - t) / 8)
      const input = inputTable + t * inputTableInts
      wasm.tileInput(tiles, images, input, count, sources, 32, planeBytes, 32 * sources, sourcePitch, rowBytes, scratch)
      for (let c = 0; c < results; c += blockChannels) {
        const rows = Math.min(blockChannels, results - c)
        const padded = 4 * Math.ceil(rows / 4)
        const a = filters + 4 * c * sources
        const panel = 32 * sources
        wasm.gemmFewPanels(
          a,
          tiles,
          products,
          padded,
          4 * count,
          sources,
          16 * sources,
          panel,
          32 * padded,
          32,
          0,
          edge,
          ...[frequencies, filterPitch, sourcePitch, productPitch],
        )
        const to = result + (first * results + c) * planeBytes
        const output = outputTable + t * outputTableInts
        const [shift, shiftPitch] = bias ? [bias + 4 * c, 4] : [zero, 0]
        wasm.tileOutput(products, to, output, count, rows, 32, planeBytes, 32 * padded, productPitch, rowBytes, scratch, shift, shiftPitch)
      }
    }
  }
  overImages(size, blockTiles, images => convolutionPlan(images, sources, results), run)
}

/** dw from x and dy; inChannels a multiple of eight, outChannels of four. The exact adjoint of the transforms above. */
export const winogradWeightGrad = (heap: Heap, size: WinogradSize, { x, dy, dw }: Record<'x' | 'dy' | 'dw', number>): void => {
  const { height, width, batch, inChannels, outChannels } = size
  const blockTiles = tilesPerBlock(Math.max(inChannels, outChannels))
  const rowBytes = 4 * width
  const planeBytes = rowBytes * height
  const xPitch = 4 * blockTiles * inChannels + gapBytes
  const dyPitch = 4 * blockTiles * outChannels + gapBytes
  const sumPitch = 4 * inChannels * outChannels + gapBytes
  const xBytes = batch * inChannels * planeBytes
  const planTiles = Math.max(blockTiles, (height * width) / outputSize ** 2)

  const [xTiles, dyTiles, sums, inputTable, outputTable, scratch, edge, spare] = carve(heap, [
    frequencies * xPitch,
    frequencies * dyPitch,
    frequencies * sumPitch,
    8 * inputTableInts * planTiles,
    4 * outputTableInts * planTiles,
    Math.max(tileScratchBytes, filterScratchBytes),
    edgeBytes,
    spareBytes(heap, x, xBytes),
  ])
  const wasm = link(heap, 'winograd', build)
  const from = awayFromEnd(heap, x, xBytes, spare)
  let placed: WinogradPlan | undefined
  const run = (plan: WinogradPlan, first: number) => {
    if (plan !== placed) {
      put(heap, inputTable, plan.input)
      put(heap, outputTable, plan.output)
      placed = plan
    }
    const xImages = from + first * inChannels * planeBytes
    const dyImages = dy + first * outChannels * planeBytes
    for (let t = 0; t < plan.tiles; t += blockTiles) {
      const count = Math.min(blockTiles, plan.tiles - t)
      const input = inputTable + 8 * t * inputTableInts
      const output = outputTable + 4 * t * outputTableInts
      const [strip, panel] = [16 * blockTiles, 32 * blockTiles]
      wasm.tileInput(xTiles, xImages, input, 2 * count, inChannels / 8, panel, 8 * planeBytes, 32, xPitch, rowBytes, scratch)
      wasm.tileOutputAdjoint(dyTiles, dyImages, output, count, outChannels / 4, strip, 4 * planeBytes, 32, dyPitch, rowBytes, scratch)
      const adding = first + t > 0 ? 1 : 0
      const pitches = [frequencies, dyPitch, xPitch, sumPitch]
      wasm.gemm(dyTiles, xTiles, sums, outChannels, inChannels, count, strip, panel, 32 * outChannels, 32, adding, edge, ...pitches)
    }
  }
  overImages(size, blockTiles, images => weightGradPlan(images, inChannels, outChannels), run)
  wasm.filterAdjoint(dw, sums, inChannels / 8, outChannels, 36 * inChannels, 32 * outChannels, sumPitch, scratch)
}
