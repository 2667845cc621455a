import type { Key } from '../../core/random/key.ts'
import type { DrawPlace } from '../randomness/drawName.ts'
import type { Draws } from '../randomness/draws.ts'

/**
 * Masks for a purifier whose network was left in training mode, as the published VPSDE scripts leave it (audit finding H1): one key per
 * image, by the source `dropout`, which no lock set of the paper locks. So DW_Both then is not deterministic.
 * Throws Error unless the source is registered, which it is not in evaluation.
 */
export const dropoutOf = (draws: Draws, place: Partial<DrawPlace>): { readonly dropoutKey: readonly Key[] } => ({
  dropoutKey: draws.images.map(image => draws.key('dropout', image, place)),
})
