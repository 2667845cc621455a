import { columns, padEnd } from './textLayout.ts'

/** Cells in columns as wide as they need, the first to the left and the others to the right; ends with a line break. */
export const grid = (rows: readonly (readonly string[])[]): string => {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map(cells => columns(cells[i]!))))
  const line = (cells: readonly string[]): string =>
    cells.map((cell, i) => (i === 0 ? padEnd(cell, widths[i]!) : ' '.repeat(widths[i]! - columns(cell)) + cell)).join('  ')
  return `${rows.map(cells => line(cells).trimEnd()).join('\n')}\n`
}
