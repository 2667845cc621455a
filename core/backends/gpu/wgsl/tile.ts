/** How a workgroup divides the rows and columns of a product among its threads. */
export interface Tile {
  /** Threads along the rows and along the columns of the result. */
  readonly threads: readonly [rows: number, columns: number]
  /** Rows and columns that a thread computes in registers, multiples of 4. */
  readonly registers: readonly [rows: number, columns: number]
  /** Terms of a sum that are in workgroup memory at a time, a divisor of `deepest`. */
  readonly depth: number
  /** With two slices a workgroup reads the next while it multiplies one, at the price of registers, and waits once a slice instead of twice. */
  readonly slices: 1 | 2
}

/** Sums are split at multiples of it, whatever the tile, so that every tile adds the same terms in the same order. */
export const deepest = 32

const tile = (threads: Tile['threads'], registers: Tile['registers'], depth: number, slices: Tile['slices']): Tile => ({
  threads,
  registers,
  depth,
  slices,
})

/** What is used where nothing was measured, largest first: within what WebGPU promises everywhere. */
export const usualTiles: readonly Tile[] = [tile([16, 16], [8, 8], 16, 1), tile([16, 16], [4, 4], 16, 1), tile([8, 8], [4, 4], 16, 1)]

/** What is measured: the usual ones, two slices, other depths, fewer threads with more registers, and flat and upright ones. */
export const candidateTiles: readonly Tile[] = [
  ...usualTiles,
  tile([16, 16], [8, 8], 8, 2),
  tile([16, 16], [8, 8], 16, 2),
  tile([16, 16], [4, 4], 16, 2),
  tile([8, 8], [8, 8], 16, 2),
  tile([8, 8], [4, 4], 32, 2),
  tile([4, 32], [4, 4], 16, 2),
  tile([32, 4], [4, 4], 16, 2),
]

export const rowsOf = ({ threads, registers }: Tile): number => threads[0] * registers[0]

export const columnsOf = ({ threads, registers }: Tile): number => threads[1] * registers[1]

/** `128x128 by 16x16 threads, 8 deep, 2 slices`: unique among tiles. */
export const tileName = (given: Tile): string => {
  const { threads, depth, slices } = given
  return `${rowsOf(given)}x${columnsOf(given)} by ${threads.join('x')} threads, ${depth} deep, ${slices} slice${slices > 1 ? 's' : ''}`
}

/** Bytes of workgroup memory, in float32. */
const bytesOf = (given: Tile): number => 4 * given.slices * given.depth * (rowsOf(given) + columnsOf(given))

/** Limits of a device by their names in WebGPU. */
export type TileLimits = Readonly<Record<'maxComputeWorkgroupStorageSize' | 'maxComputeInvocationsPerWorkgroup', number>>

export const fits = (given: Tile, limits: TileLimits): boolean =>
  bytesOf(given) <= limits.maxComputeWorkgroupStorageSize && given.threads[0] * given.threads[1] <= limits.maxComputeInvocationsPerWorkgroup

/** What of a product decides how well a tile fits it. */
export interface Extent {
  /** Products that are computed at once: batches, and parts of long sums. */
  readonly batches: number
  readonly m: number
  readonly n: number
}

const groupsOf = ({ batches, m, n }: Extent, given: Tile): number =>
  batches * Math.ceil(m / rowsOf(given)) * Math.ceil(n / columnsOf(given))

/** Results that workgroups compute, those beyond the edges of the product included. */
export const paddedResults = (extent: Extent, given: Tile): number => groupsOf(extent, given) * rowsOf(given) * columnsOf(given)

/** Workgroups that keep a device busy; a smaller tile is taken where a larger one gives fewer. */
const enoughGroups = 256

/** The tile where nothing was measured: the largest that gives enough workgroups, and of whose side the product fills half. */
export const usualTile = (extent: Extent): Tile =>
  usualTiles.find(each => groupsOf(extent, each) >= enoughGroups && rowsOf(each) <= 2 * Math.min(extent.m, extent.n)) ?? usualTiles.at(-1)!
