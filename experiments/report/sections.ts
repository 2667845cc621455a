import type { AuditResults, ResultRow } from '../dwBox/results.ts'
import { groupBy } from './groupBy.ts'

/** Rows that belong in one table: the default table, or one sweep. */
export interface Section {
  /** Empty for the default table; else what is swept (`t*`), or the variation itself where it is no number (`controls`). */
  readonly name: string
  readonly rows: readonly ResultRow[]
}

/** A sweep of a number, with the rows of the default table that lie on it. */
export interface NumericSweep {
  readonly name: string
  readonly points: readonly { readonly x: number; readonly row: ResultRow }[]
}

/** The option that holds a sweep's coordinate in the default table. */
const OPTION_OF: Readonly<Record<string, string>> = { 't*': 'tStar', epsilon: 'epsilon' }

/** `t* 0.10` is the coordinate `t*` at 0.1; `controls` has a name and no number. */
export const parseVariation = (variation: string): { readonly name: string; readonly value: number | null } => {
  const parts = /^(\S.*?)\s+(-?\d+(?:\.\d+)?)$/.exec(variation.trim())
  return parts ? { name: parts[1]!, value: Number(parts[2]) } : { name: variation.trim(), value: null }
}

/** The default table first, then the sweeps in the order of their first rows. */
export const sectionsOf = ({ rows }: Pick<AuditResults, 'rows'>): Section[] => {
  const groups = groupBy(rows, row => parseVariation(row.variation).name)
  return [...groups].map(([name, members]) => ({ name, rows: members })).sort((a, b) => Number(a.name !== '') - Number(b.name !== ''))
}

/**
 * The section as a function of a number, or null when it is none: without two values there is no curve, and between two
 * training seeds lies nothing.
 */
export const numericSweep = ({ rows, options }: Pick<AuditResults, 'rows' | 'options'>, section: Section): NumericSweep | null => {
  const varied = section.rows.map(row => ({ x: parseVariation(row.variation).value, row }))
  const atDefault = options[OPTION_OF[section.name] ?? '']
  const swept = new Set(section.rows.map(row => row.label))
  const all = [
    ...varied,
    ...rows
      .filter(row => row.variation === '' && swept.has(row.label))
      .map(row => ({ x: typeof atDefault === 'number' ? atDefault : null, row })),
  ].filter((point): point is { x: number; row: ResultRow } => point.x !== null)
  if (section.name === '' || section.name.endsWith('seed') || new Set(all.map(({ x }) => x)).size < 2) return null
  return { name: section.name, points: all.sort((a, b) => a.x - b.x) }
}

/** Whether the rows of a sweep differ in its coordinate; if not, the title says it all. */
export const varies = ({ rows }: Section): boolean => new Set(rows.map(row => row.variation)).size > 1

export const sectionTitle = (section: Section): string => {
  const { name, rows } = section
  if (name === '') return 'The table'
  const title = varies(section) ? name : rows[0]!.variation
  return /^\p{Ll}{2}/u.test(title) ? title[0]!.toUpperCase() + title.slice(1) : title
}

/** What tells a row from the others of its section. */
export const rowLabel = (row: ResultRow, section: Section): string => (varies(section) ? `${row.label}, ${row.variation}` : row.label)
