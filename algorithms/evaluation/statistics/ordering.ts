import type { LockSetName } from '../../randomness/lockSets.ts'
import { differenceLimit, type RobustCount } from './differenceLimit.ts'

export type { RobustCount }

export interface OrderingViolation {
  /** The setting whose accuracy should be at most (with `equal`: the same as) that of `above`. */
  readonly below: LockSetName
  readonly above: LockSetName
  readonly equal: boolean
  /** acc(below) - acc(above), as observed. */
  readonly difference: number
  /** The end of the difference's confidence interval nearest to 0: what chance cannot explain. */
  readonly excess: number
}

export interface OrderingOptions {
  /** A reverse process without noise (DDIM): DW_Fwd = DW_Both and DW_Rev = White must then agree. */
  readonly deterministicReverse?: boolean
  /** Of each two-sided interval; default 0.99, since one table takes several comparisons. */
  readonly confidence?: number
}

/** Settings of which the first attacker knows all that the second knows, and more. */
export const orderedSettings: readonly (readonly [below: LockSetName, above: LockSetName])[] = [
  ['DW_Both', 'DW_Fwd'],
  ['DW_Both', 'DW_Rev'],
  ['DW_Both', 'White'],
  ['DW_Fwd', 'White'],
  ['DW_Rev', 'White'],
]
const equalWithoutReverseNoise: readonly (readonly [LockSetName, LockSetName])[] = [
  ['DW_Both', 'DW_Fwd'],
  ['DW_Rev', 'White'],
]

/**
 * Lint of a table: an attacker who knows more randomness cannot do worse, so a table that violates the order has a weak attack.
 *
 * @paper E14 (Ordering)
 *
 *   acc(DW_Both) <= acc(DW_Fwd), acc(DW_Rev) <= acc(White)
 *
 * A pair is reported when the confidence interval of its difference excludes the order (see `differenceLimit`). Settings absent
 * from the table are not compared.
 */
export const orderingViolations = (
  table: Readonly<Partial<Record<LockSetName, RobustCount>>>,
  { deterministicReverse = false, confidence = 0.99 }: OrderingOptions = {},
): OrderingViolation[] => {
  /** Lower confidence limit of acc(a) - acc(b); null when the table lacks one of them. */
  const lowerLimit = (a: LockSetName, b: LockSetName): number | null => {
    const [countA, countB] = [table[a], table[b]]
    return countA && countB ? differenceLimit(countA, countB, confidence) : null
  }
  const accuracy = (name: LockSetName): number => table[name]!.robust / table[name]!.images

  return orderedSettings.flatMap(([below, above]) => {
    const equal = deterministicReverse && equalWithoutReverseNoise.some(pair => pair[0] === below && pair[1] === above)
    const over = lowerLimit(below, above)
    const under = lowerLimit(above, below)
    if (over === null || under === null) return []
    const excess = over > 0 ? over : equal && under > 0 ? -under : 0
    return excess === 0 ? [] : [{ below, above, equal, difference: accuracy(below) - accuracy(above), excess }]
  })
}
