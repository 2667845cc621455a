import type { LockSetName } from '../../algorithms/randomness/lockSets.ts'
import type { Accuracy, ResultRow, SettingResult } from '../dwBox/results.ts'
import type { Paint } from './ansi.ts'
import { percent, percentRange } from './format.ts'
import { rowLabel, type Section } from './sections.ts'
import { cellOf, settingsOf } from './settings.ts'
import { padEnd, wrap } from './textLayout.ts'

/** A cell's lines: the accuracy, and what stands dimly beneath it. */
type CellLines = readonly string[]

interface Layout {
  readonly label: number
  readonly cell: number
  /** Whether the interval stands beside the accuracy instead of beneath it. */
  readonly beside: boolean
}

const GAP = 2
/** `100.0–100.0` */
const STACKED = 11
/** `100.0  [100.0–100.0]` */
const BESIDE = 20

/** The widest layout that fits, or null when the columns do not fit at all. */
const layoutFor = (width: number, count: number): Layout | null => {
  for (const [cell, beside, smallestLabel] of [
    [BESIDE, true, 24],
    [STACKED, false, 14],
  ] as const) {
    const label = width - count * (cell + GAP)
    if (label >= smallestLabel) return { label: Math.min(label, 32), cell, beside }
  }
  return null
}

const accuracyLines = (accuracy: Accuracy, beside: boolean): CellLines =>
  beside ? [`${percent(accuracy.mean).padStart(5)}  [${percentRange(accuracy)}]`] : [percent(accuracy.mean), percentRange(accuracy)]

const cosineText = ({ eotCosine }: SettingResult): string[] => (eotCosine === null ? [] : [`cos ${eotCosine.toFixed(2)}`])

const settingLines = (row: ResultRow, setting: LockSetName, beside: boolean): CellLines => {
  const cell = cellOf(row, setting)
  if (cell.kind === 'absent') return ['–', cell.why]
  if (cell.kind === 'same') return [...accuracyLines(cell.result.robust, beside), `= ${cell.as}`]
  return [...accuracyLines(cell.result.robust, beside), ...cosineText(cell.result)]
}

/** The rows of a section with their settings as columns; as lists where a terminal is too narrow for columns. */
export const textTable = (section: Section, width: number, paint: Paint): string[] => {
  const { rows } = section
  const settings = settingsOf(rows)
  const layout = layoutFor(width, settings.length + 1)
  if (!layout) return rows.flatMap(row => listed(row, rowLabel(row, section), settings, width, paint))

  const rule = paint('dim', '─'.repeat(layout.label + (settings.length + 1) * (layout.cell + GAP)))
  const line = (label: string, cells: readonly string[]): string =>
    [padEnd(label, layout.label), ...cells.map(cell => padEnd(cell, layout.cell))].join(' '.repeat(GAP)).trimEnd()
  const heading = line('defence', ['clean', ...settings])
  const body = rows.flatMap(row => {
    const label = wrap(rowLabel(row, section), layout.label)
    const cells = [accuracyLines(row.clean, layout.beside), ...settings.map(setting => settingLines(row, setting, layout.beside))]
    const height = Math.max(label.length, ...cells.map(lines => lines.length))
    return Array.from({ length: height }, (_, i) => {
      const rest = line(
        '',
        cells.map(lines => lines[i] ?? ''),
      ).slice(layout.label)
      const name = padEnd(label[i] ?? '', rest === '' ? 0 : layout.label)
      return (i === 0 ? paint('bold', name) : name) + (i === 0 || rest === '' ? rest : paint('dim', rest))
    })
  })
  return [rule, paint('bold', heading), rule, ...body, rule]
}

const listed = (row: ResultRow, label: string, settings: readonly LockSetName[], width: number, paint: Paint): string[] => {
  const indent = '  '
  const entry = (name: string, lines: CellLines): string[] =>
    wrap(lines.join('  '), width - 12).map((text, i) => indent + (i === 0 ? name.padEnd(10) : ' '.repeat(10)) + text)
  return [
    ...wrap(label, width).map(text => paint('bold', text)),
    ...entry('clean', accuracyLines(row.clean, true)),
    ...settings.flatMap(setting => entry(setting, settingLines(row, setting, true))),
  ]
}
