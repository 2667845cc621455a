import { mergeRows, type Profile, type ProfileRow } from '../../core/backends/profile/profile.ts'

const perSecond = (amount: number, milliseconds: number): string =>
  amount > 0 && milliseconds > 0 ? (amount / milliseconds / 1e6).toFixed(1) : '-'

const columns: readonly (readonly [title: string, width: number, value: (row: ProfileRow, total: number) => string])[] = [
  ['op', -24, row => row.name],
  ['phase', -9, row => row.phase],
  ['calls', 9, row => String(row.calls)],
  ['ms', 11, row => row.milliseconds.toFixed(1)],
  ['share', 8, (row, total) => `${((100 * row.milliseconds) / total).toFixed(1)} %`],
  ['GFLOP/s', 9, row => perSecond(row.flops, row.milliseconds)],
  ['MB', 10, row => (row.bytes > 0 ? (row.bytes / 1e6).toFixed(1) : '-')],
  ['GB/s', 8, row => perSecond(row.bytes, row.milliseconds)],
]

const pad = (text: string, width: number): string => (width < 0 ? text.padEnd(-width) : text.padStart(width))

/**
 * Where the time went: a line per kind of op, then the high-water mark of the memory. With several processes the times are
 * their sum and the mark that of the largest. The ops of a gradient are `gradient`; a forward pass that a checkpoint repeats is `forward`.
 */
export const profileTable = (profiles: readonly Profile[]): string => {
  const rows = mergeRows(profiles)
  const total = rows.reduce((sum, row) => sum + row.milliseconds, 0)
  const processes = new Set(profiles.filter(profile => profile.rows.length > 0).map(profile => profile.process)).size
  const peak = Math.max(0, ...profiles.map(profile => profile.bytesPeak))
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => pad(cell, columns[i]![1]))
      .join(' ')
      .trimEnd()
  return [
    line(columns.map(([title]) => title)),
    ...rows.map(row => line(columns.map(([, , value]) => value(row, total)))),
    `${(total / 1000).toFixed(2)} s in the backend${processes > 1 ? ` of ${processes} processes` : ''}; memory at most ${(peak / 2 ** 20).toFixed(1)} MiB${processes > 1 ? ' each' : ''}`,
    '',
  ].join('\n')
}
