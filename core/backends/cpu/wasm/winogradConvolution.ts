import type { Heap } from '../heap.ts'
import { divide, onThreads, type Share } from '../threads/onThreads.ts'
import type { ConvOperands } from './convDirect.ts'
import { carve, carveTables, put } from './convScratch.ts'
import type { Linked } from './link.ts'
import { linkWinograd, type TileBlock, type WinogradSize, withBorder } from './winograd.ts'
import { type WinogradLayout, winogradLayout } from './winogradLayout.ts'
import { inputTableInts, outputTableInts } from './winogradTiles.ts'
import type { WinogradVariant } from './winogradTransform.ts'

/** A convolution on its way: what to compute, how it is cut, and where everything lies. */
interface Call {
  readonly layout: WinogradLayout
  readonly operands: ConvOperands
  readonly adjoint: boolean
  /** The source, with its border. */
  readonly source: number
  /** The tiles, where they are few, else the filters. */
  readonly shared: number
  /** Tables of a block's images, and of the last ones where those are fewer. */
  readonly inputs: number
  readonly outputs: number
  readonly inputsRest: number
  readonly outputsRest: number
  /** What is added where there is no bias. */
  readonly zero: number
  /** The filters of a block brought together, or 0. */
  readonly gathered: number
}

/** A thread's own memory: products, scratch memory, edge and its own filters or tiles. */
interface Place {
  readonly products: number
  readonly scratch: number
  readonly edge: number
  readonly own: number
}

/** Units of work. */
type Range = Pick<Share, 'first' | 'end'>

const groupsOf = ({ tiles }: TileBlock): number => Math.ceil(tiles / 4)

/** Some channels, and where their transformed filters or tiles lie or come to lie. */
interface Channels {
  readonly first: number
  readonly count: number
  readonly at: number
}

/** In the adjoint a block's filters lie scattered over all of them, which memory gives slowly: they are brought together first. */
const gatherFilters = (wasm: Linked, { layout, operands, gathered }: Call, { first, end }: Range): void => {
  const { channels, size } = layout
  const { sources, results } = size
  const [from, to] = [operands.weight + 36 * results * first, gathered + 36 * channels * first]
  wasm.copyPlanes(to, from, end - first, results / channels, 9 * channels, 36 * channels * sources, 36 * channels)
}

/** Transforms the filters of some result channels. */
const transformFilters = (wasm: Linked, call: Call, { first, count, at }: Channels, { scratch }: Place): void => {
  const { layout, operands, adjoint, gathered } = call
  const { filterPitch, channels, size } = layout
  const { sources, results } = size
  if (!adjoint) wasm.filterForward(at, operands.weight + 36 * sources * first, count, sources, 36 * sources, 36, filterPitch, scratch)
  else {
    const [from, column] = gathered ? [gathered + 36 * sources * first, 36 * channels] : [operands.weight + 36 * first, 36 * results]
    wasm.filterFlipped(at, from, count, sources, 36, column, filterPitch, scratch)
  }
}

/** Transforms a block's tiles of some source channels. */
const transformTiles = (wasm: Linked, call: Call, block: TileBlock, { first, count, at }: Channels, { scratch }: Place): void => {
  const { size, sourcePitch } = call.layout
  const { sources, height, width } = size
  const plane = 4 * height * width
  const from = call.source + (block.firstImage * sources + first) * plane
  const table = (block.rest ? call.inputsRest : call.inputs) + block.firstTile * inputTableInts
  wasm.tileInput(at + 32 * first, from, table, groupsOf(block), count, 32, plane, 32 * sources, sourcePitch, 4 * width, scratch)
}

/** Some result channels of a block, from its transformed tiles at `b` and the channels' filters. */
const multiply = (wasm: Linked, call: Call, block: TileBlock, b: number, { first, count, at: a }: Channels, place: Place): void => {
  const { layout, operands } = call
  const { frequencies: f, filterPitch, sourcePitch, productPitch } = layout
  const { sources, results, outHeight, outWidth } = layout.size
  const { products: c, edge, scratch } = place
  const groups = groupsOf(block)
  const rows = 4 * Math.ceil(count / 4)
  const panels = Math.floor(groups / 2)
  const [strip, panel, height] = [16 * sources, 32 * sources, 32 * rows]
  if (panels > 0) {
    const columns = 8 * panels
    wasm.gemmFewPanels(a, b, c, rows, columns, sources, strip, panel, height, 32, 0, edge, f, filterPitch, sourcePitch, productPitch)
  }
  if (groups % 2 === 1) {
    const [half, into] = [b + panel * panels, c + height * panels]
    wasm.gemmHalfPanel(a, half, into, rows, sources, strip, 32, f, filterPitch, sourcePitch, productPitch)
  }
  const plane = 4 * outHeight * outWidth
  const to = operands.output + (block.firstImage * results + first) * plane
  const table = (block.rest ? call.outputsRest : call.outputs) + block.firstTile * outputTableInts
  const [bias, step] = operands.bias ? [operands.bias + 4 * first, 4] : [call.zero, 0]
  wasm.tileOutput(c, to, table, groups, count, 32, plane, height, productPitch, 4 * outWidth, scratch, bias, step)
}

/** What all threads need first: a share of the tiles' transform, where these are few, else of the filters'. */
const prepare = (wasm: Linked, call: Call, { first, end }: Range, place: Place): void => {
  const { few, blocks, size } = call.layout
  if (call.gathered) gatherFilters(wasm, call, { first, end })
  if (few) transformTiles(wasm, call, blocks[0], { first, count: end - first, at: call.shared }, place)
  else {
    const count = Math.min(size.results, 4 * end) - 4 * first
    transformFilters(wasm, call, { first: 4 * first, count, at: call.shared + 16 * first * size.sources }, place)
  }
}

/** A share of the filters, with all tiles. */
const byFilters = (wasm: Linked, call: Call, range: Range, place: Place): void => {
  const { blocks, channels, size } = call.layout
  const end = Math.min(size.results, range.end * channels)
  for (let first = range.first * channels; first < end; first += channels) {
    const some = { first, count: Math.min(channels, size.results - first), at: place.own }
    transformFilters(wasm, call, some, place)
    multiply(wasm, call, blocks[0], call.shared, some, place)
  }
}

/** A share of the blocks of tiles, with all filters. */
const byTiles = (wasm: Linked, call: Call, range: Range, place: Place): void => {
  const { blocks, channels, size } = call.layout
  const { sources, results } = size
  for (let unit = range.first; unit < range.end; unit++) {
    transformTiles(wasm, call, blocks[unit], { first: 0, count: sources, at: place.own }, place)
    for (let first = 0; first < results; first += channels) {
      const some = { first, count: Math.min(channels, results - first), at: call.shared + 4 * first * sources }
      multiply(wasm, call, blocks[unit], place.own, some, place)
    }
  }
}

/**
 * result: [images, results, outHeight, outWidth] from source: [images, sources, height, width]. With many tiles all filters
 * are transformed first and blocks of tiles go through all of them; with few, all tiles are transformed first and blocks of
 * filters are used while they are in the cache. The bits are the same, and do not depend on the other images. `adjoint` is the
 * input gradient, dy to dx, with the kernels turned round.
 */
export const winogradConvolution = (
  heap: Heap,
  variant: WinogradVariant,
  whole: WinogradSize,
  operands: ConvOperands,
  adjoint: boolean,
): void => {
  const layout = winogradLayout(heap, variant, whole)
  const { few, channels, plans } = layout
  const { sources, results } = whole
  const preparation = divide(heap, layout.preparation)
  const shares = divide(heap, layout.products)
  const gathers = few && adjoint && layout.manyFilters && results % channels === 0
  const threads = Math.max(shares.length, preparation.length)
  const addresses = carve(heap, [...layout.sharedBytes, gathers ? 36 * sources * results : 0], layout.ownBytes, threads)
  const [shared, border, gathered] = addresses
  const [inputs, outputs, inputsRest, outputsRest, zero] = carveTables(heap, layout.tableBytes)
  const places: Place[] = []
  for (let i = 0, at = 3; i < threads; i++, at += 4) {
    places.push({ products: addresses[at], scratch: addresses[at + 1], edge: addresses[at + 2], own: addresses[at + 3] })
  }
  put(heap, inputs, plans[0].input)
  put(heap, outputs, plans[0].output)
  if (plans[1]) {
    put(heap, inputsRest, plans[1].input)
    put(heap, outputsRest, plans[1].output)
  }
  heap.tableView.f32[zero >>> 2] = 0
  const linked = linkWinograd(heap, variant)
  const source = withBorder(heap, linked, { size: whole, within: layout.size, source: operands.source, border })
  const filters = gathers ? gathered : 0
  const call: Call = { layout, operands, adjoint, source, shared, inputs, outputs, inputsRest, outputsRest, zero, gathered: filters }
  onThreads(linked, preparation, (wasm, share) => prepare(wasm, call, share, places[share.index]))
  const compute = few ? byFilters : byTiles
  onThreads(linked, shares, (wasm, share) => compute(wasm, call, share, places[share.index]))
}
