import type { Tensor } from '../../core/index.ts'
import type { Comparison } from './comparison.ts'
import type { GoldenFile } from './goldenFolder.ts'

/**
 * An element differs when it is further off than this part of the largest expected value: a flipped sign, or a rank that is
 * wrong by more than the place of a neighbour.
 */
const TOLERANCE = 1e-2

/**
 * Compares results of signs and ranks, where rounding changes few elements but those entirely: the share of elements that
 * differ is held to 0 within the bound of gradients (6 of 6144). A name the file does not have is left out.
 */
export const shareDiffering = async (file: GoldenFile, name: string, computed: Tensor): Promise<Comparison[]> => {
  const expected = file.find(name)
  if (!expected) return []
  const values = await computed.data()
  const scale = Array.from(expected.values, Math.abs).reduce((a, b) => Math.max(a, b), 0)
  let differing = 0
  for (let i = 0; i < values.length; i++) {
    // Negated, so that a value that is no number differs.
    if (!(Math.abs(values[i]! - expected.values[i]!) <= TOLERANCE * scale)) differing++
  }
  const sameSize = values.length === expected.values.length
  return [
    {
      file: file.name,
      tensor: `${name} (share differing)`,
      quantity: 'gradient',
      actual: { shape: [], values: [sameSize ? differing / values.length : 1] },
      expected: { dtype: 'F32', shape: [], values: Float32Array.of(0) },
    },
  ]
}
