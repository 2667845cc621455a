import type { Abilities } from '../wgsl/abilities.ts'
import { tunedTile } from '../wgsl/tuning.ts'
import { missingHalf } from './half.ts'
import type { OpenWebgpu } from './open.ts'
import { readTuning } from './tuningFile.ts'

/**
 * What kernels use on a device: what is given, else what the device has and what was measured on it. Subgroups are used nowhere
 * where there are none.
 *
 * @throws Error when half precision is asked for and missing
 */
export const abilitiesOf = (opened: OpenWebgpu, given: Abilities = {}): Abilities => {
  const missing = given.half && missingHalf(opened)
  if (missing) throw new Error(`${missing.what}; ${missing.remedy}`)
  const subgroups = opened.features.includes('subgroups') && (given.subgroups ?? true)
  const tuning = given.tileFor ? {} : (readTuning(opened.info) ?? {})
  return { tileFor: (kind, extent) => tunedTile(tuning, kind, extent), ...given, subgroups }
}
