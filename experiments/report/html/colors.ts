import type { LockSetName } from '../../../algorithms/randomness/lockSets.ts'

/**
 * Colours that people with any kind of colour vision can tell apart: the palette of Okabe and Ito (2002), lightened for dark
 * backgrounds. Lines also differ in their dashes, so that nothing rests on colour alone. Values are CSS custom properties.
 */
export const SETTING_COLOR: Readonly<Record<LockSetName, string>> = {
  White: 'var(--blue)',
  DW_Fwd: 'var(--orange)',
  DW_Rev: 'var(--green)',
  DW_Both: 'var(--red)',
}
export const CLEAN_COLOR = 'var(--muted)'

export const SETTING_DASH: Readonly<Record<LockSetName, string>> = { White: '', DW_Fwd: '7 3', DW_Rev: '2 3', DW_Both: '' }

/** For what is no setting of its own. */
const OTHERS = ['var(--purple)', 'var(--sky)', 'var(--green)', 'var(--orange)']

/**
 * A colour per attack. An attack takes the colour of its setting (`White, EoT 5`), a second kind of attack in that setting
 * another one; `…, other noise` keeps the colour of the attack that it repeats and is dashed.
 */
export const attackStyles = (attacks: readonly string[]): Map<string, { readonly color: string; readonly dash: string }> => {
  const colors = new Map<string, string>()
  const taken = new Set<string>()
  const styles = new Map<string, { color: string; dash: string }>()
  let others = 0
  for (const attack of attacks) {
    if (styles.has(attack)) continue
    const kind = attack.replace(/, other noise$/, '')
    if (!colors.has(kind)) {
      const own = SETTING_COLOR[kind.split(',')[0] as LockSetName] as string | undefined
      const color = own && !taken.has(own) ? own : OTHERS[others++ % OTHERS.length]!
      taken.add(color)
      colors.set(kind, color)
    }
    styles.set(attack, { color: colors.get(kind)!, dash: kind === attack ? '' : '5 3' })
  }
  return styles
}
