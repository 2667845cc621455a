import type { Extent, Tile } from './tile.ts'
import type { ProductKind } from './tuning.ts'

/** What WGSL kernels use beyond the standard on a device. Absent: nothing. */
export interface Abilities {
  /** The tile that was measured to be best; undefined where nothing was. */
  readonly tileFor?: (kind: ProductKind, extent: Extent) => Tile | undefined
}
