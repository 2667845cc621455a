import type { Abilities } from '../wgsl/abilities.ts'
import { tunedTile } from '../wgsl/tuning.ts'
import type { OpenWebgpu } from './open.ts'
import { readTuning } from './tuningFile.ts'

/** What kernels use on a device: what is given, else what the device has and what was measured on it. */
export const abilitiesOf = ({ info }: OpenWebgpu, given: Abilities = {}): Abilities => {
  const tuning = given.tileFor ? {} : (readTuning(info) ?? {})
  return { tileFor: (kind, extent) => tunedTile(tuning, kind, extent), ...given }
}
