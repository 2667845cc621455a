import { grim } from '../../../algorithms/evaluation/statistics/grim.ts'
import { orderedSettings } from '../../../algorithms/evaluation/statistics/ordering.ts'
import type { LockSetName } from '../../../algorithms/randomness/lockSets.ts'
import type { AuditResults, ResultRow } from '../../dwBox/results.ts'
import { nameOf, pairedComparison, settingOf } from '../../dwBox/summary.ts'
import { percent, points, type Section, type SectionTable, verdictCell } from '../section.ts'

/** The paper's own numbers as its figure prints them: CIFAR-10, l_inf, DDPM purifier, 1,024 images. */
export const paperNumbers = {
  images: 1024,
  rows: [
    { label: 'vanilla', DW_Both: '16.8', White: '47.27' },
    { label: 'ADDT', DW_Both: '39.16', White: '51.46' },
  ],
} as const

/** Every pair of a table is one test: the level of each keeps a table's false alarms at about 5 %. */
const level = 0.01

/**
 * One-sided p-value that the setting whose attacker knows more has the higher accuracy: exact McNemar on the images that both have,
 * P(X >= onlyBelow), X ~ Binomial(n, 1/2). Half of the two-sided one where the excess is on that side, and at least 1/2 elsewhere.
 */
export const orderingP = (row: ResultRow, below: LockSetName, above: LockSetName): { p: number; excess: number; images: number } | null => {
  const [a, b] = [settingOf(row, above), settingOf(row, below)]
  if (!a || !b) return null
  const { difference, mcnemar, images } = pairedComparison(a, b)
  const p = mcnemar.onlyB > mcnemar.onlyA ? mcnemar.p / 2 : 1 - mcnemar.p / 2
  return { p, excess: difference.mean, images }
}

const orderingTable = (rows: readonly ResultRow[]): SectionTable => ({
  caption: 'E14: an attacker who knows more cannot leave more',
  columns: ['Defence', 'Pair', 'Difference', 'Images', 'One-sided p', ''],
  rows: rows.flatMap(row =>
    orderedSettings.flatMap(([below, above]) => {
      const found = orderingP(row, below, above)
      if (!found) return []
      const { p, excess, images } = found
      return [
        [
          nameOf(row),
          `${below} ≤ ${above}`,
          points(excess),
          String(images),
          p >= 0.5 ? '≥ 0.5' : p.toPrecision(2),
          verdictCell(p >= level, ['in order', 'weak attack']),
        ],
      ]
    }),
  ),
})

const grimTable = (rows: readonly ResultRow[]): SectionTable => ({
  caption: 'GRIM: is every share a count of its trials?',
  columns: ['Row', 'Share', 'Trials', 'Counts', ''],
  rows: [
    ...paperNumbers.rows.flatMap(row =>
      (['DW_Both', 'White'] as const).map(setting => {
        const { possible, counts } = grim(row[setting], paperNumbers.images)
        return [
          `paper, ${row.label}, ${setting}`,
          `${row[setting]} %`,
          String(paperNumbers.images),
          counts.join(', ') || 'none',
          verdictCell(possible, ['possible', 'impossible']),
        ]
      }),
    ),
    ...rows.flatMap(row =>
      row.settings.map(({ setting, robust }) => {
        const trials = robust.images * robust.draws
        const { possible, counts } = grim((100 * robust.mean).toFixed(4), trials)
        return [
          `${nameOf(row)}, ${setting}`,
          percent(robust.mean),
          `${robust.images} × ${robust.draws}`,
          counts.join(', ') || 'none',
          verdictCell(possible, ['possible', 'impossible']),
        ]
      }),
    ),
  ],
})

/** The lints of the last run's table, and of the paper's numbers. Without a run the paper's alone. */
export const tableLintsSection = (run: AuditResults | undefined): Section => ({
  id: 'tables',
  title: 'Consistency of the tables',
  lead: run
    ? [
        `Run ${run.id} of ${run.provenance.time.slice(0, 16).replace('T', ' ')} UTC: ${run.command}`,
        `Options: ${Object.entries(run.options)
          .filter(([, value]) => typeof value !== 'object')
          .map(([name, value]) => `${name} ${value}`)
          .join(', ')}.`,
        `A pair out of order at a one-sided p below ${level} shows an attack that is too weak.`,
      ]
    : ['No run yet: npm start'],
  tables: [...(run ? [orderingTable(run.rows)] : []), grimTable(run?.rows ?? [])],
})
