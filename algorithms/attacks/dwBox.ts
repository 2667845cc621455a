import { isStochastic, type PurifierSteps } from '../purification/anyPurifier.ts'
import { type LockSet, type LockSetName, lockSets } from '../randomness/lockSets.ts'

/** What the attacker of a purifier knows of its randomness, and how many EoT samples meet the rest. */
export interface ThreatSetting {
  readonly name: LockSetName
  readonly locks: LockSet
  /** 1 where nothing stays random. */
  readonly eotSamples: number
}

/**
 * The paper's settings, from the attacker who knows no noise to the Deterministic White-box, who knows all of it.
 *
 * @paper E13 (Deterministic White-box), E14 (ordering)
 *
 *   White = {},  DW_Fwd = {forward noise},  DW_Rev = {reverse noises},  DW_Both = both
 *
 * EoT is kept over whatever stays random. A deterministic reverse process, such as DDIM, a flow or a single DDPM step, has no
 * reverse noise, so DW_Rev = White and DW_Fwd = DW_Both; only the two distinct settings are returned for it.
 * Deviations: the published scripts attack DW_Fwd with one EoT sample although its reverse noise is random (audit finding
 * H5), which flatters that setting; here it gets as many as White, unless `forwardEotSamples` says otherwise.
 */
export const dwBoxSettings = (
  purifier: PurifierSteps,
  { eotSamples, forwardEotSamples = eotSamples }: { readonly eotSamples: number; readonly forwardEotSamples?: number },
): ThreatSetting[] => {
  const names: LockSetName[] = isStochastic(purifier) ? ['White', 'DW_Fwd', 'DW_Rev', 'DW_Both'] : ['White', 'DW_Both']
  const samples = { White: eotSamples, DW_Fwd: forwardEotSamples, DW_Rev: eotSamples, DW_Both: 1 }
  return names.map(name => ({ name, locks: lockSets[name], eotSamples: samples[name] }))
}
