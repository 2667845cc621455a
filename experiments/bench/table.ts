import type { Attribute, Paint } from '../report/ansi.ts'
import { columns, padEnd, wrap } from '../report/textLayout.ts'
import { flopsOf } from './cases.ts'
import { OURS, PROCESSES } from './contestants.ts'
import { NOT_SUPPORTED } from './protocol.ts'
import { median } from './statistics.ts'
import { type Judgement, judge, type Outcome, type RowResult, ratioTo, timesOf } from './verdict.ts'

const MARK: Readonly<Record<Outcome, readonly [text: string, attribute: Attribute]>> = {
  goal: ['✔ goal', 'green'],
  bar: ['✔ bar', 'yellow'],
  miss: ['✘ miss', 'red'],
  unknown: ['– not measured', 'dim'],
}

/** Three significant digits, without an exponent: `0.535`, `12.3`, `4110`; `–` for NaN. */
export const shortNumber = (value: number): string => {
  if (Number.isNaN(value)) return '–'
  return value >= 100 ? value.toFixed(0) : value.toFixed(Math.max(0, 2 - Math.floor(Math.log10(Math.max(value, 0.01)))))
}

const describe = ({ requirement: { measure, bar, goal }, value, possible = Number.NaN }: Judgement): string => {
  const limits = (unit: string, relation: string): string =>
    `${Number.isNaN(value) ? '' : `${shortNumber(value)}${unit} `}(${relation} ${shortNumber(bar)}, goal ${shortNumber(goal)})`
  if (measure.of === 'ratio') return `${limits('', '<=')} x ${measure.to}`
  if (measure.of === 'rate') return `${limits(' GFLOP/s', '>=')} per thread`
  if (measure.of === 'microseconds') return `${limits(' us', '<=')} per op`
  return `${limits('x', '>=')} speedup${Number.isNaN(possible) ? '' : `, ${shortNumber(possible)}x by separate processes`}`
}

const verdictText = (judgement: Judgement, paint: Paint): string => {
  const [text, attribute] = MARK[judgement.outcome]
  return `${paint(attribute, padEnd(text, 6))} ${describe(judgement)}`
}

/** Cells with the first column left and the others right aligned; colours are added after widths are known. */
const grid = (heading: readonly string[], body: readonly (readonly string[])[]): string[] => {
  const widths = heading.map((_, i) => Math.max(...[heading, ...body].map(cells => columns(cells[i] ?? ''))))
  const line = (cells: readonly string[]): string =>
    cells.map((cell, i) => (i === 0 ? padEnd(cell, widths[i]!) : ' '.repeat(widths[i]! - columns(cell)) + cell)).join('  ')
  return [line(heading), ...body.map(line)]
}

const cellOf = (result: RowResult, name: string): { readonly median: number; readonly best: number } => {
  const times = timesOf(result.measurements.find(each => each.name === name)?.samples ?? [], result.clock)
  return { median: median(times), best: times.length > 0 ? Math.min(...times) : Number.NaN }
}

export interface TableOptions {
  readonly paint: Paint
  readonly width: number
  /** What ratios are against: the first peer present; undefined without peers. */
  readonly reference: string | undefined
}

/** Our times beside the reference's, and what they are held to: one line per requirement. */
const mainTable = (results: readonly RowResult[], { paint, reference }: TableOptions): string[] => {
  const pair = (result: RowResult, name: string): string[] => {
    const { median: middle, best } = cellOf(result, name)
    return [shortNumber(middle), shortNumber(best)]
  }
  const heading = ['', `${OURS} ms`, 'best', 'GFLOP/s', ...(reference ? [`${reference} ms`, 'best', 'ratio'] : [])]
  const body = results.map(result => [
    result.row.title,
    ...pair(result, OURS),
    flopsOf(result.row.work) === undefined ? '' : shortNumber(flopsOf(result.row.work)! / cellOf(result, OURS).median / 1e6),
    ...(reference ? [...pair(result, reference), shortNumber(ratioTo(result, reference))] : []),
  ])
  const [first, ...lines] = grid(heading, body)
  const rest = ' '.repeat(columns(first!))
  return [
    paint('bold', first!),
    ...lines.flatMap((line, i) => {
      const verdicts = judge(results[i]!).map(judgement => verdictText(judgement, paint))
      return verdicts.length === 0 ? [line] : verdicts.map((verdict, j) => `${j === 0 ? line : rest}  ${verdict}`)
    }),
  ]
}

/** How many times our time each peer takes. */
const peerTable = (results: readonly RowResult[], names: readonly string[], { paint }: TableOptions): string[] => {
  const body = results.map(result => [
    result.row.title,
    ...names.map(name => {
      const time = cellOf(result, name).median
      return Number.isNaN(time) ? '–' : `${shortNumber(time)} (${shortNumber(1 / ratioTo(result, name))}x)`
    }),
  ])
  const [first, ...lines] = grid(['ms (times ours)', ...names], body)
  return [paint('bold', first!), ...lines]
}

/** Why something is missing: each contestant's reasons once, with the rows. Ops that a library does not have need no reason. */
const missingNotes = (results: readonly RowResult[]): string[] => {
  const rowsOf = new Map<string, string[]>()
  for (const { row, measurements } of results) {
    for (const { name, missing } of measurements) {
      if (missing === undefined || missing === NOT_SUPPORTED) continue
      const note = `${name}: ${missing}`
      rowsOf.set(note, [...(rowsOf.get(note) ?? []), row.title])
    }
  }
  return [...rowsOf].map(([note, titles]) => `${note} (${titles.join('; ')})`)
}

/** Results that differ from ours by more than rounding: those times are of other work. */
export const disagreements = (results: readonly RowResult[], tolerance = 1e-3): string[] =>
  results.flatMap(({ row, measurements }) => {
    const own = measurements.find(({ name }) => name === OURS)?.checksum
    return measurements.flatMap(({ name, checksum }) =>
      own === undefined || checksum === undefined || Math.abs(checksum - own) <= tolerance * Math.abs(own)
        ? []
        : [`${name}, ${row.title}: another result, ${checksum} instead of ${own}`],
    )
  })

/** All results of one number of threads for a terminal. */
export const renderTable = (results: readonly RowResult[], o: TableOptions): string => {
  const { threads, clock } = results[0]!
  const others = [...new Set(results.flatMap(({ measurements }) => measurements.map(({ name }) => name)))].filter(
    name => name !== OURS && name !== PROCESSES && name !== o.reference,
  )
  const dim = (lines: readonly string[]): string[] => lines.flatMap(line => wrap(line, o.width)).map(line => o.paint('dim', line))
  return [
    o.paint('cyan', `${threads} thread${threads === 1 ? '' : 's'}, ${clock === 'cpu' ? 'processor time' : 'elapsed time'}, medians`),
    ...mainTable(results, o),
    ...(others.length > 0 ? ['', ...peerTable(results, others, o)] : []),
    ...dim(missingNotes(results)),
    ...disagreements(results).map(line => o.paint('red', line)),
  ].join('\n')
}
