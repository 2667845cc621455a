import { remember } from './convScratch.ts'
import { inputTableInts, outputTableInts } from './winogradTiles.ts'
import { outputSize } from './winogradTransform.ts'

/** A lane of a group: where its tile starts (floats) and the tile's place in the image, which says what lies outside. */
interface Lane {
  readonly offset: number
  readonly y: number
  readonly x: number
}

interface Images {
  readonly images: number
  readonly height: number
  readonly width: number
}

const tilesOf = ({ images, height, width }: Images, imageFloats: number): Lane[] => {
  const tiles: Lane[] = []
  for (let n = 0; n < images; n++)
    for (let y = 0; y < height; y += outputSize)
      for (let x = 0; x < width; x += outputSize) tiles.push({ offset: n * imageFloats + y * width + x, y, x })
  return tiles
}

/** Groups of four consecutive tiles, an even number of them; missing lanes repeat the last tile, with the same result. */
const groupTiles = (tiles: readonly Lane[]): Lane[][] =>
  Array.from({ length: 2 * Math.ceil(tiles.length / 8) }, (_, g) =>
    Array.from({ length: 4 }, (_, lane) => tiles[Math.min(4 * g + lane, tiles.length - 1)]),
  )

/** `groups` lane groups per tile whose lanes are channels, `plane` floats apart. */
const groupChannels = (tiles: readonly Lane[], groups: number, plane: number): Lane[][] =>
  tiles.flatMap(tile =>
    Array.from({ length: groups }, (_, g) =>
      Array.from({ length: 4 }, (_, lane) => ({ ...tile, offset: tile.offset + (4 * g + lane) * plane })),
    ),
  )

/** The table of `tileInput`. */
const inputTable = (groups: readonly Lane[][], { height, width }: Images): Int32Array => {
  const table = new Int32Array(groups.length * inputTableInts)
  groups.forEach((lanes, g) => {
    lanes.forEach(({ offset, y, x }, lane) => {
      const keep = [x > 0, x + outputSize < width, y > 0, y + outputSize < height]
      const values = [4 * (offset - 1), ...keep.map(inside => (inside ? -1 : 0))]
      values.forEach((value, i) => {
        table[g * inputTableInts + 4 * i + lane] = value
      })
    })
  })
  return table
}

/** The table of `tileOutput` and `tileOutputAdjoint`. */
const outputTable = (groups: readonly Lane[][]): Int32Array =>
  Int32Array.from({ length: groups.length * outputTableInts }, (_, i) => 4 * groups[i >> 2][i & 3].offset)

export interface WinogradPlan {
  readonly images: number
  readonly tiles: number
  readonly input: Int32Array
  readonly output: Int32Array
}

const rememberPlan = remember<WinogradPlan>()

/** Lanes are tiles: convolution of `images` images with `sources` channels to `results` channels. */
export const convolutionPlan = (size: Images, sources: number, results: number): WinogradPlan =>
  rememberPlan(`convolution ${Object.values(size).join()} ${sources} ${results}`, () => {
    const plane = size.height * size.width
    const tiles = tilesOf(size, sources * plane)
    const output = outputTable(groupTiles(tilesOf(size, results * plane)))
    return { images: size.images, tiles: tiles.length, input: inputTable(groupTiles(tiles), size), output }
  })

/** Lanes are channels: two groups of four input channels and one of four output channels per tile. */
export const weightGradPlan = (size: Images, sources: number, results: number): WinogradPlan =>
  rememberPlan(`weightGrad ${Object.values(size).join()} ${sources} ${results}`, () => {
    const plane = size.height * size.width
    const tiles = tilesOf(size, sources * plane)
    const output = outputTable(groupChannels(tilesOf(size, results * plane), 1, plane))
    return { images: size.images, tiles: tiles.length, input: inputTable(groupChannels(tiles, 2, plane), size), output }
  })
