import { remember } from './convScratch.ts'
import { adjointTableInts, inputTableInts, outputTableInts } from './winogradTiles.ts'
import type { WinogradVariant } from './winogradTransform.ts'

/**
 * Sizes of a correlation with 3x3 filters: result[p] = sum over k of w[k] source[step p + k - (top, left)], or the adjoint of one,
 * whose tile at p begins at source[step p - (top, left)]. Zeros beyond the source: at most one row or column on each side.
 */
export interface TileGrid {
  readonly images: number
  readonly sources: number
  readonly height: number
  readonly width: number
  readonly results: number
  readonly outHeight: number
  readonly outWidth: number
  readonly top: number
  readonly left: number
}

interface Tile {
  readonly image: number
  /** Place in the result, and how many of the tile's rows and columns an earlier tile has too. */
  readonly y: number
  readonly x: number
  readonly skipRows: number
  readonly skipColumns: number
}

/** Where the tiles of an axis begin. The last is moved back to end with the axis, so that all of them are whole. */
const starts = (length: number, outputs: number) =>
  Array.from({ length: Math.ceil(length / outputs) }, (_, i) => {
    const start = Math.min(i * outputs, length - outputs)
    return { start, skip: i * outputs - start }
  })

const tilesOf = ({ images, outHeight, outWidth }: TileGrid, outputs: number): Tile[] =>
  Array.from({ length: images }, (_, image) => image).flatMap(image =>
    starts(outHeight, outputs).flatMap(row =>
      starts(outWidth, outputs).map(column => ({
        image,
        y: row.start,
        x: column.start,
        skipRows: row.skip,
        skipColumns: column.skip,
      })),
    ),
  )

/** How many tiles an image has. */
export const tilesPerImage = (g: Pick<TileGrid, 'outHeight' | 'outWidth'>, { outputs }: WinogradVariant): number =>
  Math.ceil(g.outHeight / outputs) * Math.ceil(g.outWidth / outputs)

/** A lane of a group: its tile, and floats to add for its channel. */
interface Lane {
  readonly tile: Tile
  readonly channel: number
}

/** Groups of four consecutive tiles, an even number of them; missing lanes repeat the last tile, with the same result. */
const groupTiles = (tiles: readonly Tile[]): Lane[][] =>
  Array.from({ length: 2 * Math.ceil(tiles.length / 8) }, (_, g) =>
    Array.from({ length: 4 }, (_, lane) => ({ tile: tiles[Math.min(4 * g + lane, tiles.length - 1)], channel: 0 })),
  )

/** `groups` lane groups per tile whose lanes are the first channels; beyond `channels` of them the last is repeated. */
const groupChannels = (tiles: readonly Tile[], groups: number, channels: number): Lane[][] =>
  tiles.flatMap(tile =>
    Array.from({ length: groups }, (_, g) =>
      Array.from({ length: 4 }, (_, lane) => ({ tile, channel: Math.min(4 * g + lane, channels - 1) })),
    ),
  )

const table = (groups: readonly Lane[][], ints: number, fill: (lanes: Lane[]) => number[]): Int32Array => {
  const values = new Int32Array(groups.length * ints)
  for (const [g, lanes] of groups.entries()) values.set(fill(lanes), g * ints)
  return values
}

const mask = (inside: boolean) => (inside ? -1 : 0)

/** The table of `tileInput`. */
const inputTable = (groups: readonly Lane[][], g: TileGrid, { inputs, step }: WinogradVariant): Int32Array => {
  const plane = g.height * g.width
  return table(groups, inputTableInts, lanes => [
    ...lanes.map(
      ({ tile, channel }) =>
        4 * ((tile.image * g.sources + channel) * plane + (step * tile.y - g.top + 1) * g.width + step * tile.x - g.left),
    ),
    ...lanes.map(({ tile }) => mask(step * tile.x >= g.left)),
    ...lanes.map(({ tile }) => mask(step * tile.x - g.left + inputs <= g.width)),
    ...lanes.map(({ tile }) => mask(step * tile.y >= g.top)),
    ...lanes.map(({ tile }) => mask(step * tile.y - g.top + inputs <= g.height)),
  ])
}

const outputOffsets = (lanes: readonly Lane[], g: TileGrid) =>
  lanes.map(({ tile, channel }) => 4 * (((tile.image * g.results + channel) * g.outHeight + tile.y) * g.outWidth + tile.x))

/** The table of `tileOutputAdjoint`. */
const adjointTable = (groups: readonly Lane[][], g: TileGrid): Int32Array =>
  table(groups, adjointTableInts, lanes => [
    ...outputOffsets(lanes, g),
    ...[0, 1, 2, 3].map(column => mask(column >= lanes[0].tile.skipColumns)),
    ...[0, 1, 2, 3].map(row => mask(row >= lanes[0].tile.skipRows)),
  ])

const key = (g: TileGrid, variant: WinogradVariant) => `${variant.name} ${Object.values(g).join()}`

export interface ConvolutionPlan {
  readonly tiles: number
  readonly input: Int32Array
  readonly output: Int32Array
}

const rememberConvolution = remember<ConvolutionPlan>()

/** Lanes are tiles. */
export const convolutionPlan = (g: TileGrid, variant: WinogradVariant): ConvolutionPlan =>
  rememberConvolution(key(g, variant), () => {
    const tiles = tilesOf(g, variant.outputs)
    const groups = groupTiles(tiles)
    const output = table(groups, outputTableInts, lanes => outputOffsets(lanes, g))
    return { tiles: tiles.length, input: inputTable(groups, g, variant), output }
  })

export interface WeightGradPlan {
  readonly tiles: number
  /** Two groups per tile, eight channels of the source; the same where fewer are left. */
  readonly input: Int32Array
  readonly inputRest: Int32Array
  /** One group per tile, four channels of the result; the same where fewer are left. */
  readonly output: Int32Array
  readonly outputRest: Int32Array
}

const rememberWeightGrad = remember<WeightGradPlan>()

/** Lanes are channels. */
export const weightGradPlan = (g: TileGrid, variant: WinogradVariant): WeightGradPlan =>
  rememberWeightGrad(key(g, variant), () => {
    const tiles = tilesOf(g, variant.outputs)
    const input = (channels: number) => inputTable(groupChannels(tiles, 2, channels), g, variant)
    const output = (channels: number) => adjointTable(groupChannels(tiles, 1, channels), g)
    return {
      tiles: tiles.length,
      input: input(8),
      inputRest: g.sources % 8 === 0 ? new Int32Array() : input(g.sources % 8),
      output: output(4),
      outputRest: g.results % 4 === 0 ? new Int32Array() : output(g.results % 4),
    }
  })
