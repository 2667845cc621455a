import type { Extent, Tile } from './tile.ts'
import type { ProductKind } from './tuning.ts'

/** What WGSL kernels use beyond the standard on a device. Absent: nothing. */
export interface Abilities {
  /** The tile that was measured to be best; undefined where nothing was. */
  readonly tileFor?: (kind: ProductKind, extent: Extent) => Tile | undefined
  /**
   * Whether tiled products keep their operands as f16 in workgroup memory, which halves what is moved there; scaled on their way to it
   * by powers of two (`HalfRange`). Products and sums are float32, so that with u = 2^-11 (2^-10 where a driver rounds towards zero)
   * the error is at most (2u + u^2) times the sum of |a| |b| beside that of float32, for operands of at least 2^-28 of the largest in
   * their row, column or image; smaller ones are off by up to u 2^-28 of that. Of uniform operands around 0 the error is 3e-4 of the
   * results' root mean square on Mesa's llvmpipe, whatever the number of terms: errors and results grow alike with its root.
   */
  readonly half?: boolean
  /** Whether the threads of a workgroup combine sums and maxima by subgroups, which takes fewer barriers. */
  readonly subgroups?: boolean
}
