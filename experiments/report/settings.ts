import type { LockSetName } from '../../algorithms/randomness/lockSets.ts'
import type { ResultRow, SettingResult } from '../dwBox/results.ts'

/** The settings in the order in which the attacker knows more. */
export const SETTINGS: readonly LockSetName[] = ['White', 'DW_Fwd', 'DW_Rev', 'DW_Both']

/** What the attacker knows in each setting, in plain words. */
export const SETTING_MEANING: Readonly<Record<LockSetName, string>> = {
  White: 'The attacker knows the networks and the procedure but none of the noise; every step of the attack meets fresh noise.',
  DW_Fwd: 'The attacker also knows the noise that is added to the image before purification.',
  DW_Rev: 'The attacker also knows the noise that the reverse diffusion steps add.',
  DW_Both: 'The attacker knows all the noise that the defence will use: for this attacker the defence is deterministic.',
}

/** What stands in the table where a row and a setting meet. */
export type Cell =
  | { readonly kind: 'measured'; readonly result: SettingResult }
  | { readonly kind: 'same'; readonly as: LockSetName; readonly result: SettingResult }
  | { readonly kind: 'absent'; readonly why: 'no noise' | 'not run' }

const TWIN: Readonly<Partial<Record<LockSetName, LockSetName>>> = { DW_Rev: 'White', DW_Fwd: 'DW_Both' }

const measured = (row: ResultRow, setting: LockSetName): SettingResult | undefined => row.settings.find(s => s.setting === setting)

/**
 * A defence with a deterministic reverse process (DDIM) has no reverse noise to know, so DW_Rev = White and
 * DW_Fwd = DW_Both, and only the two distinct settings are attacked (@paper E13).
 *
 * A row of the default table has every setting that is distinct for it, so White and DW_Both alone tell such a defence.
 * Sweeps leave settings out to save time; there a missing setting was not run.
 */
export const cellOf = (row: ResultRow, setting: LockSetName): Cell => {
  const own = measured(row, setting)
  if (own) return { kind: 'measured', result: own }
  if (isUndefended(row)) return { kind: 'absent', why: 'no noise' }
  const as = TWIN[setting]
  const twin = as && measured(row, as)
  const deterministicReverse = row.variation === '' && !measured(row, 'DW_Fwd') && !measured(row, 'DW_Rev')
  return as && twin && deterministicReverse ? { kind: 'same', as, result: twin } : { kind: 'absent', why: 'not run' }
}

const isUndefended = (row: ResultRow): boolean => row.id.startsWith('undefended')

/** The settings that at least one of the rows was attacked in. */
export const settingsOf = (rows: readonly ResultRow[]): LockSetName[] =>
  SETTINGS.filter(setting => rows.some(row => measured(row, setting) !== undefined))
