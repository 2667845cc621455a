import { candidateTiles, type Extent, paddedResults, type Tile, tileName } from './tile.ts'

/** Kinds of products, by what their operands cost to read and by their shape. */
export const productKinds = ['gemm', 'skinny', 'conv2d', 'conv2dInputGrad', 'conv2dWeightGrad'] as const

export type ProductKind = (typeof productKinds)[number]

/** Rows or columns up to which a matrix product is skinny. */
const skinnySide = 32

/** Matrix products differ by shape, convolutions say what they are. */
export const kindOf = ({ m, n }: Extent, convolution?: Exclude<ProductKind, 'gemm' | 'skinny'>): ProductKind =>
  convolution ?? (Math.min(m, n) <= skinnySide ? 'skinny' : 'gemm')

/** What was measured at one size: time per result, those beyond the edges included, of each tile by its name, in any unit. */
export interface Level {
  /** Results of the product, over all batches. */
  readonly results: number
  readonly costs: Readonly<Record<string, number>>
}

/** Levels of each kind, smallest first. */
export type Tuning = Readonly<Partial<Record<ProductKind, readonly Level[]>>>

const byName = new Map(candidateTiles.map(tile => [tileName(tile), tile]))

/** Whether it has the form of a tuning, of tiles that exist. */
export const isTuning = (value: unknown): value is Tuning => {
  const isRecord = (each: unknown): each is Record<string, unknown> => typeof each === 'object' && each !== null && !Array.isArray(each)
  const isCost = ([name, cost]: [string, unknown]): boolean => byName.has(name) && typeof cost === 'number' && cost > 0
  const isLevel = (level: unknown): boolean => {
    if (!isRecord(level) || typeof level.results !== 'number' || !isRecord(level.costs)) return false
    const costs = Object.entries(level.costs)
    return costs.length > 0 && costs.every(isCost)
  }
  const isKind = ([kind, levels]: [string, unknown]): boolean =>
    (productKinds as readonly string[]).includes(kind) && Array.isArray(levels) && levels.every(isLevel)
  return isRecord(value) && Object.entries(value).every(isKind)
}

/**
 * The tile of least cost for a product by the largest measured size that it reaches by half: cost times results, those beyond its
 * edges included. Undefined for products smaller than what was measured.
 */
export const tunedTile = (tuning: Tuning, kind: ProductKind, extent: Extent): Tile | undefined => {
  const results = extent.batches * extent.m * extent.n
  const level = tuning[kind]?.findLast(each => each.results <= 2 * results)
  if (!level) return undefined
  const predicted = ([name, cost]: [string, number]): number => cost * paddedResults(extent, byName.get(name)!)
  const [best] = Object.entries(level.costs).reduce((a, b) => (predicted(b) < predicted(a) ? b : a))
  return byName.get(best)
}
