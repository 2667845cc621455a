import type { Heap } from '../heap.ts'
import { divide, onThreads } from '../threads/onThreads.ts'
import type { ModuleBuilder } from './assembler.ts'
import { blockLength, blockPixels, blockTaps, eachBlockOf, multiplyAddsPerNanosecond, rowParts } from './convBlocks.ts'
import { buildConvGather } from './convGather.ts'
import { type ConvGeometry, type ConvPhase, type ConvPlan, forwardPlan, geometryKey, inputGradPlan, type Offsets } from './convPlan.ts'
import { carve, carveTables, put, remember } from './convScratch.ts'
import { buildGemm, edgeBytes } from './gemm.ts'
import { type BuildOptions, type Linked, link } from './link.ts'

const build = (m: ModuleBuilder, options: BuildOptions): void => {
  buildGemm(m, options)
  buildConvGather(m)
}

const rememberPlan = remember<ConvPlan>()

const cachedPlan = (make: typeof forwardPlan, g: ConvGeometry, images: number): ConvPlan =>
  rememberPlan(`${make === forwardPlan} ${images} ${geometryKey(g)}`, () => make(g, images))

/** Writes the offsets of `rows` rows `pitch` floats apart, completed to whole strips by the last row. */
const putRowOffsets = (heap: Heap, at: number, rows: number, pitch: number): void => {
  const words = heap.tableView.i32
  const count = Math.ceil(rows / 4) * 4
  for (let i = 0; i < count; i++) words[(at >>> 2) + i] = 4 * Math.min(i, rows - 1) * pitch
}

const paddedFloats = (plan: ConvPlan) => (plan.hasBorder ? plan.images * plan.sourceChannels * plan.padded.height * plan.padded.width : 0)

/** Copies the images at `source` into the zero border at `padded` and returns it; without a border, `source` itself. */
const withBorder = (wasm: Linked, plan: ConvPlan, source: number, padded: number): number => {
  if (!plan.hasBorder) return source
  const { top, left, height, width } = plan.padded
  const planes = plan.images * plan.sourceChannels
  wasm.copyPlanes(padded + 4 * (top * width + left), source, planes, plan.sourceHeight, plan.sourceWidth, 4 * width, 4 * height * width)
  return padded
}

/** Packs an operand of the product by its two tables, with the widest reads that they allow. */
const gather = (wasm: Linked, width: 4 | 8, { to, source, lanes, steps, groups, count }: GatherArguments): void => {
  const how = steps.consecutive && count % 4 === 0 ? 'steps' : lanes.consecutive && width === 8 ? 'lanes' : 'single'
  wasm[`gather${width}${how}`](to, source, lanes.at, steps.at, groups, count)
}

interface PlacedOffsets {
  readonly at: number
  readonly consecutive: boolean
}

interface GatherArguments {
  readonly to: number
  readonly source: number
  readonly lanes: PlacedOffsets
  readonly steps: PlacedOffsets
  readonly groups: number
  readonly count: number
}

const placed = ({ consecutive }: Offsets, at: number): PlacedOffsets => ({ at, consecutive })

export interface ConvOperands {
  readonly source: number
  readonly weight: number
  /** Address of the bias, one per channel of the result, or 0 for none. */
  readonly bias: number
  readonly output: number
}

/** One phase of a plan for `batch` images, a multiple of `plan.images`. */
const runPhase = (heap: Heap, plan: ConvPlan, phase: ConvPhase, batch: number, groups: number, operands: ConvOperands): void => {
  const linked = link(heap, 'conv', build)
  const { taps, weightTaps, pixels, outputs } = phase
  const k = taps.length
  const strips = Math.ceil(plan.rows / 4)
  const pixelBlocks = Math.ceil(pixels.length / blockPixels)
  const blocks = (batch / plan.images) * groups * pixelBlocks
  const parts = rowParts(blocks, plan.rows)
  const nanoseconds = ((batch / plan.images) * groups * plan.rows * pixels.length * k) / multiplyAddsPerNanosecond
  const shares = divide(heap, { units: blocks * parts.parts, nanoseconds })
  const packShares = divide(heap, { units: strips * groups, nanoseconds: 4 * strips * groups * k })
  const [tapBytes, pixelBytes] = [4 * taps.table.length, 4 * pixels.table.length]
  const tableBytes = [tapBytes, tapBytes, pixelBytes, pixelBytes, 64, 16 * strips]
  const perShare = [4 * blockPixels * blockTaps, 16 * strips * blockPixels, edgeBytes, 4 * paddedFloats(plan)]
  const [packed, ...places] = carve(heap, [16 * strips * k * groups], perShare, shares.length)
  const [tapsAt, weightTapsAt, pixelsAt, outputsAt, zero, rowsAt] = carveTables(heap, tableBytes)
  put(heap, tapsAt, taps.table)
  put(heap, weightTapsAt, weightTaps.table)
  put(heap, pixelsAt, pixels.table)
  put(heap, outputsAt, outputs.table)
  putRowOffsets(heap, rowsAt, plan.rows, plan.weightRowPitch)
  heap.tableView.f32[zero >>> 2] = 0
  if (plan.hasBorder) for (const { index } of shares) heap.f32(places[4 * index + 3], paddedFloats(plan)).fill(0)

  const packedGroup = 16 * strips * k
  onThreads(linked, packShares, (wasm, { first, end }) => {
    for (let unit = first; unit < end; ) {
      const [g, strip] = [Math.floor(unit / strips), unit % strips]
      const count = Math.min(strips - strip, end - unit)
      const source = operands.weight + 4 * g * plan.weightGroupPitch
      const lanes = { at: rowsAt + 16 * strip, consecutive: false }
      const to = packed + g * packedGroup + 16 * strip * k
      gather(wasm, 4, { to, source, lanes, steps: placed(weightTaps, weightTapsAt), groups: count, count: k })
      unit += count
    }
  })
  const groupSource = 4 * (plan.sourceChannels / groups) * plan.padded.height * plan.padded.width
  const depth = blockLength(k, blockTaps)
  /** Rows `first` to `first + rows` of the pixels from j on, of the images at n and of group g. */
  const block = (
    wasm: Linked,
    { n, g, j, source, first, rows, index }: Record<'n' | 'g' | 'j' | 'source' | 'first' | 'rows' | 'index', number>,
  ) => {
    const [panels, products, edge] = places.slice(4 * index)
    const columns = Math.min(blockPixels, pixels.length - j)
    for (let p = 0; p < k; p += depth) {
      const count = Math.min(depth, k - p)
      const lanes = placed(pixels, pixelsAt + 4 * j)
      const steps = { at: tapsAt + 4 * p, consecutive: false }
      gather(wasm, 8, { to: panels, source: source + g * groupSource, lanes, steps, groups: Math.ceil(columns / 8), count })
      const a = packed + g * packedGroup + 4 * first * k + 16 * p
      wasm.gemm(a, panels, products, rows, columns, count, 16 * k, 32 * count, 32, 4 * blockPixels, p > 0 ? 1 : 0, edge, 1, 0, 0, 0)
    }
    const channel = g * plan.rows + first
    const output = operands.output + 4 * (n * plan.outputChannels + channel) * plan.outputPlane
    const bias = operands.bias ? operands.bias + 4 * channel : zero
    const scatter = outputs.consecutive ? wasm.scatterlanes : wasm.scattersingle
    scatter(output, products, outputsAt + 4 * j, bias, rows, columns, 4 * plan.outputPlane, 4 * blockPixels, operands.bias ? 4 : 0)
  }
  onThreads(linked, shares, (wasm, share) => {
    const { index } = share
    let [n, source] = [-1, 0]
    eachBlockOf(share, parts, (at, first, rows) => {
      const g = Math.floor(at / pixelBlocks) % groups
      const image = Math.floor(at / (pixelBlocks * groups)) * plan.images
      if (image !== n) {
        n = image
        const images = operands.source + 4 * n * plan.sourceChannels * plan.sourceHeight * plan.sourceWidth
        source = withBorder(wasm, plan, images, places[4 * index + 3])
      }
      block(wasm, { n, g, j: (at % pixelBlocks) * blockPixels, source, first, rows, index })
    })
  })
}

const imagesPerBlock = (plane: number, batch: number) => Math.max(1, Math.min(batch, Math.floor(blockPixels / plane)))

const runPlan = (heap: Heap, make: typeof forwardPlan, g: ConvGeometry, batch: number, operands: ConvOperands): void => {
  const plane = make === forwardPlan ? g.outHeight * g.outWidth : g.height * g.width
  const images = imagesPerBlock(plane, batch)
  const whole = batch - (batch % images)
  for (const [first, count, each] of [
    [0, whole, images],
    [whole, batch - whole, batch - whole],
  ]) {
    if (count === 0) continue
    const plan = cachedPlan(make, g, each)
    const source = operands.source + 4 * first * plan.sourceChannels * plan.sourceHeight * plan.sourceWidth
    const output = operands.output + 4 * first * plan.outputChannels * plan.outputPlane
    // Pixels that no tap reaches belong to a phase without taps, which computes nothing.
    if (plan.phases.some(p => p.taps.length === 0)) heap.f32(output, count * plan.outputChannels * plan.outputPlane).fill(0)
    const { weight, bias } = operands
    for (const phase of plan.phases) {
      if (phase.taps.length > 0) runPhase(heap, plan, phase, count, g.groups, { source, weight, bias, output })
    }
  }
}

/** y = conv(x, w) + bias, for any geometry. The taps of an element are summed in order, whatever the batch. */
export const directForward = (heap: Heap, g: ConvGeometry, batch: number, operands: ConvOperands): void =>
  runPlan(heap, forwardPlan, g, batch, operands)

/** dx from `source` dy, for any geometry. */
export const directInputGrad = (heap: Heap, g: ConvGeometry, batch: number, operands: ConvOperands): void =>
  runPlan(heap, inputGradPlan, g, batch, operands)

/**
 * dw[o, tap] = sum over pixels of dy[o, pixel] x[tap + pixel], pixels in blocks in order, whole images first to last. The
 * threads share the taps, blocks of them or eight at a time, and each goes through all pixels.
 */
export const directWeightGrad = (heap: Heap, g: ConvGeometry, batch: number, { x, dy, dw }: Record<'x' | 'dy' | 'dw', number>): void => {
  const linked = link(heap, 'conv', build)
  const images = imagesPerBlock(g.outHeight * g.outWidth, batch)
  const whole = cachedPlan(forwardPlan, g, images)
  const rest = batch % images === 0 ? whole : cachedPlan(forwardPlan, g, batch % images)
  const { rows } = whole
  const strips = Math.ceil(rows / 4)
  const k = whole.phases[0].taps.length
  const plane = g.outHeight * g.outWidth
  const shares = divide(heap, { units: Math.ceil(k / 8), nanoseconds: (batch * plane * g.outChannels * k) / multiplyAddsPerNanosecond })
  const tableBytes = [whole, rest].flatMap(({ phases: [phase] }) =>
    [phase.taps, phase.pixels, phase.outputs].map(({ table }) => 4 * table.length),
  )
  const perShare = [16 * strips * blockPixels, 4 * blockPixels * blockTaps, edgeBytes, 4 * paddedFloats(whole)]
  const places = carve(heap, [], perShare, shares.length)
  const [rowsAt, ...tables] = carveTables(heap, [16 * strips, ...tableBytes])
  putRowOffsets(heap, rowsAt, rows, plane)
  for (const [i, { phases }] of [whole, rest].entries()) {
    put(heap, tables[3 * i], phases[0].taps.table)
    put(heap, tables[3 * i + 1], phases[0].pixels.table)
    put(heap, tables[3 * i + 2], phases[0].outputs.table)
  }
  if (whole.hasBorder) for (const { index } of shares) heap.f32(places[4 * index + 3], paddedFloats(whole)).fill(0)

  onThreads(linked, shares, (wasm, share) => {
    const [packed, panels, edge, padded] = places.slice(4 * share.index)
    const [firstTap, endTap] = [8 * share.first, Math.min(k, 8 * share.end)]
    for (let n = 0; n < batch; n += images) {
      const isWhole = n + images <= batch
      const plan = isWhole ? whole : rest
      const [phase] = plan.phases
      const [tapsAt, pixelsAt, outputsAt] = tables.slice(isWhole ? 0 : 3)
      const source = withBorder(wasm, plan, x + 4 * n * g.inChannels * g.height * g.width, padded)
      for (let group = 0; group < g.groups; group++) {
        const groupSource = source + 4 * group * (g.inChannels / g.groups) * plan.padded.height * plan.padded.width
        const groupDy = dy + 4 * (n * g.outChannels + group * rows) * plane
        for (let j = 0; j < phase.pixels.length; j += blockPixels) {
          const count = Math.min(blockPixels, phase.pixels.length - j)
          const outputs = placed(phase.outputs, outputsAt + 4 * j)
          gather(wasm, 4, { to: packed, source: groupDy, lanes: { at: rowsAt, consecutive: false }, steps: outputs, groups: strips, count })
          for (let p = firstTap; p < endTap; p += blockTaps) {
            const columns = Math.min(blockTaps, endTap - p)
            const lanes = placed(phase.taps, tapsAt + 4 * p)
            const steps = placed(phase.pixels, pixelsAt + 4 * j)
            gather(wasm, 8, { to: panels, source: groupSource, lanes, steps, groups: Math.ceil(columns / 8), count })
            const c = dw + 4 * (group * plan.weightGroupPitch + p)
            wasm.gemm(packed, panels, c, rows, columns, count, 16 * count, 32 * count, 32, 4 * k, n + j > 0 ? 1 : 0, edge, 1, 0, 0, 0)
          }
        }
      }
    }
  })
}
