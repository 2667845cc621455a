import type { Abilities } from '../wgsl/abilities.ts'
import { tunedTile } from '../wgsl/tuning.ts'
import { missingHalf } from './half.ts'
import type { OpenWebgpu } from './open.ts'
import { readTuning } from './tuningFile.ts'

/** What kernels use on a device: what is given, else what the device has and what was measured on it. @throws Error when half is missing */
export const abilitiesOf = (opened: OpenWebgpu, given: Abilities = {}): Abilities => {
  const missing = given.half && missingHalf(opened)
  if (missing) throw new Error(`${missing.what}; ${missing.remedy}`)
  const tuning = given.tileFor ? {} : (readTuning(opened.info) ?? {})
  return { tileFor: (kind, extent) => tunedTile(tuning, kind, extent), ...given }
}
