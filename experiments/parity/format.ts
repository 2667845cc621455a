import type { ParityReport } from './parity.ts'

const HEAD = ['file', 'tensor', 'max abs error', 'relative', 'bound', 'verdict']

const number = (value: number): string => (value === 0 ? '0' : value.toExponential(2))

const table = (rows: readonly (readonly string[])[]): string => {
  const widths = HEAD.map((_, column) => Math.max(...rows.map(row => row[column]!.length)))
  return rows
    .map(row =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** The report as a plain table with a closing line per remark. */
export const formatReport = (report: ParityReport): string => {
  const rows = report.rows.map(row => [
    row.file,
    row.tensor,
    number(row.maxAbsError),
    number(row.relativeError),
    number(row.bound),
    row.ok ? 'ok' : 'MISS',
  ])
  const remarks = [
    ...report.loaded.map(stem => `${stem}: every parameter fits; no expected values in the folder`),
    ...report.unsupported.map(stem => `${stem}: not supported yet`),
    ...report.unread.map(name => `${name}: not compared`),
    ...report.missing.map(name => `${name}: listed in manifest.json but missing`),
  ]
  const failed = report.rows.filter(row => !row.ok).length
  const verdict = `${report.rows.length - failed} of ${report.rows.length} comparisons within their bounds on ${report.backend}`
  return [...(rows.length > 0 ? [table([HEAD, ...rows])] : []), ...remarks, verdict].join('\n')
}
