/** Convolutions with one tap per channel, which are matrix products of the images as they lie: no table of offsets, no border, no copy of the result. */
import type { Heap } from '../heap.ts'
import { divide, onThreads } from '../threads/onThreads.ts'
import type { ModuleBuilder } from './assembler.ts'
import { blockLength, blockPixels, blockTaps, eachBlockOf, multiplyAddsPerNanosecond, rowParts } from './convBlocks.ts'
import type { ConvOperands } from './convDirect.ts'
import type { ConvGeometry } from './convPlan.ts'
import { carve } from './convScratch.ts'
import { buildGemm, edgeBytes, tileColumns, tileRows } from './gemm.ts'
import { buildGemmPack } from './gemmPack.ts'
import { Lanes } from './lanes.ts'
import { type BuildOptions, type Linked, link } from './link.ts'
import { addTo, copyOf, eachVector, repeat, storeVector } from './loops.ts'

/** `addBias(y, bias, rows, columns, pitch)`: y[i][j] += bias[i], rows of y `pitch` bytes apart. */
const emitAddBias = (m: ModuleBuilder, fma: boolean) =>
  m.function('addBias', ['i32', 'i32', 'i32', 'i32', 'i32'], (f, y, bias, rows, columns, pitch) => {
    const v = new Lanes(f, fma)
    repeat(f, rows, () => {
      const shift = v.loadSplat(bias)
      const at = copyOf(f, y)
      eachVector(
        v,
        { count: columns, cursors: [at], unroll: 1 },
        offset => v.store(at, v.add(v.load(at, offset), shift), offset),
        tail => storeVector(v, at, v.add(v.load(at), shift), 0, tail),
      )
      addTo(f, y, pitch)
      f.increment(bias, 4)
    })
  })

const build = (m: ModuleBuilder, options: BuildOptions): void => {
  buildGemm(m, options)
  buildGemmPack(m)
  emitAddBias(m, options.fma)
}

/** Smaller images than this fill too little of a block each; the general way takes several of them together. */
const smallestPlane = 64

/** Whether every result pixel is a product of one pixel's channels with the weights: no stride, no padding, no groups. */
export const isPointwise = (g: ConvGeometry): boolean =>
  g.kernelHeight * g.kernelWidth * g.strideY * g.strideX * g.groups === 1 &&
  g.outHeight === g.height &&
  g.outWidth === g.width &&
  g.height * g.width >= smallestPlane

/** result[n] = weights source[n]: [rows, k] times [k, plane] for each image n. */
interface ImageProducts {
  readonly rows: number
  readonly k: number
  readonly plane: number
  readonly batch: number
}

/** Packs some rows of the weights into strips. */
type PackRows = (wasm: Linked, to: number, firstRow: number, count: number) => void

/** The units of work are blocks of pixels, or parts of the rows there; the weights are packed once. */
const multiplyImages = (heap: Heap, { rows, k, plane, batch }: ImageProducts, o: ConvOperands, packRows: PackRows): void => {
  const linked = link(heap, 'pointwise', build)
  const strips = Math.ceil(rows / tileRows)
  const pixelBlocks = Math.ceil(plane / blockPixels)
  const parts = rowParts(batch * pixelBlocks, rows)
  const units = batch * pixelBlocks * parts.parts
  const shares = divide(heap, { units, nanoseconds: (batch * plane * rows * k) / multiplyAddsPerNanosecond, isLast: true })
  const packShares = divide(heap, { units: strips, nanoseconds: 4 * strips * k })
  const depth = blockLength(k, blockTaps)
  const panelBytes = 4 * blockPixels * depth
  const strip = 4 * tileRows * k
  const [weights, ...places] = carve(heap, [strips * strip], [panelBytes + edgeBytes], shares.length)
  onThreads(linked, packShares, (wasm, { first, end }) => {
    const row = tileRows * first
    packRows(wasm, weights + strip * first, row, Math.min(rows, tileRows * end) - row)
  })
  onThreads(linked, shares, (wasm, share) => {
    const panels = places[share.index]
    const edge = panels + panelBytes
    eachBlockOf(share, parts, (block, row, height) => {
      const n = Math.floor(block / pixelBlocks)
      const pixel = blockPixels * (block % pixelBlocks)
      const columns = Math.min(blockPixels, plane - pixel)
      const y = o.output + 4 * ((n * rows + row) * plane + pixel)
      for (let p = 0; p < k; p += depth) {
        const count = Math.min(depth, k - p)
        wasm.packLanes8(panels, o.source + 4 * ((n * k + p) * plane + pixel), columns, count, 4 * plane)
        const a = weights + 4 * row * k + 4 * tileRows * p
        const bPanel = 4 * tileColumns * count
        wasm.gemm(a, panels, y, height, columns, count, strip, bPanel, 4 * tileColumns, 4 * plane, p > 0 ? 1 : 0, edge, 1, 0, 0, 0)
      }
      if (o.bias) wasm.addBias(y, o.bias + 4 * row, height, columns, 4 * plane)
    })
  })
}

/** y = w x + bias for every image. The channels of an element are summed in order, in blocks, whatever the batch. */
export const pointwiseForward = (heap: Heap, g: ConvGeometry, batch: number, o: ConvOperands): void => {
  const sizes = { rows: g.outChannels, k: g.inChannels, plane: g.height * g.width, batch }
  const { k } = sizes
  multiplyImages(heap, sizes, o, (wasm, to, row, count) => wasm.packTransposed4(to, o.weight + 4 * row * k, count, k, 4 * k))
}

/** dx = w^T dy for every image, `source` being dy. */
export const pointwiseInputGrad = (heap: Heap, g: ConvGeometry, batch: number, o: ConvOperands): void => {
  const sizes = { rows: g.inChannels, k: g.outChannels, plane: g.height * g.width, batch }
  const { rows, k } = sizes
  multiplyImages(heap, sizes, o, (wasm, to, row, count) => wasm.packLanes4(to, o.weight + 4 * row, count, k, 4 * rows))
}

/**
 * dw = sum over the images of dy x^T, pixels in blocks in order, first image to last. The threads share the columns, eight at a
 * time, and each goes through all pixels.
 */
export const pointwiseWeightGrad = (heap: Heap, g: ConvGeometry, batch: number, { x, dy, dw }: Record<'x' | 'dy' | 'dw', number>): void => {
  const linked = link(heap, 'pointwise', build)
  const [rows, columns, plane] = [g.outChannels, g.inChannels, g.height * g.width]
  const nanoseconds = (batch * plane * rows * columns) / multiplyAddsPerNanosecond
  const shares = divide(heap, { units: Math.ceil(columns / tileColumns), nanoseconds })
  const stripBytes = 4 * tileRows * Math.ceil(rows / tileRows) * blockPixels
  const panelBytes = 4 * blockTaps * blockPixels
  const places = carve(heap, [], [stripBytes + panelBytes + edgeBytes], shares.length)
  onThreads(linked, shares, (wasm, { index, first, end }) => {
    const strips = places[index]
    const panels = strips + stripBytes
    const edge = panels + panelBytes
    const endColumn = Math.min(columns, tileColumns * end)
    for (let n = 0; n < batch; n++) {
      for (let pixel = 0; pixel < plane; pixel += blockPixels) {
        const k = Math.min(blockPixels, plane - pixel)
        const [strip, panel] = [4 * tileRows * k, 4 * tileColumns * k]
        const adding = n + pixel > 0 ? 1 : 0
        wasm.packTransposed4(strips, dy + 4 * (n * rows * plane + pixel), rows, k, 4 * plane)
        for (let column = tileColumns * first; column < endColumn; column += blockTaps) {
          const width = Math.min(blockTaps, endColumn - column)
          const c = dw + 4 * column
          wasm.packTransposed8(panels, x + 4 * ((n * columns + column) * plane + pixel), width, k, 4 * plane)
          wasm.gemm(strips, panels, c, rows, width, k, strip, panel, 4 * tileColumns, 4 * columns, adding, edge, 1, 0, 0, 0)
        }
      }
    }
  })
}
