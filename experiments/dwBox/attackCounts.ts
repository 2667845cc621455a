import type { AuditResults } from './results.ts'
import { nameOf } from './summary.ts'

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`

/**
 * What the attacks of a run counted themselves, one line per row and setting: what is left by the protocol's selection, and by one lucky
 * draw. The table above it is a fresh re-evaluation. Empty where the attack does not count.
 */
export const attackCounts = ({ rows }: Pick<AuditResults, 'rows'>): string[] =>
  rows.flatMap(row =>
    row.settings.flatMap(({ setting, robust, attackCount }) =>
      attackCount
        ? [
            `${nameOf(row)}, ${setting}: ${percent(robust.mean)} on fresh draws; the attack counted ${percent(attackCount.selection)} by its selection, ` +
              `${percent(attackCount.neverFound)} never misclassified on any draw it saw`,
          ]
        : [],
    ),
  )
