import type { FunctionBuilder, Local } from './assembler.ts'

/** Appends the transpose of the 4x4 block whose rows are in `rows` to `columns`; `temporaries` are four more vectors. */
export const emitTranspose = (
  f: FunctionBuilder,
  { rows, columns, temporaries: t }: { rows: Local[]; columns: Local[]; temporaries: Local[] },
): void => {
  f.get(rows[0]).get(rows[1]).shuffle32([0, 4, 1, 5]).set(t[0])
  f.get(rows[2]).get(rows[3]).shuffle32([0, 4, 1, 5]).set(t[1])
  f.get(rows[0]).get(rows[1]).shuffle32([2, 6, 3, 7]).set(t[2])
  f.get(rows[2]).get(rows[3]).shuffle32([2, 6, 3, 7]).set(t[3])
  f.get(t[0]).get(t[1]).shuffle32([0, 1, 4, 5]).set(columns[0])
  f.get(t[0]).get(t[1]).shuffle32([2, 3, 6, 7]).set(columns[1])
  f.get(t[2]).get(t[3]).shuffle32([0, 1, 4, 5]).set(columns[2])
  f.get(t[2]).get(t[3]).shuffle32([2, 3, 6, 7]).set(columns[3])
}
