/** What a cell's text says of what was found; it is shown by colour, and never by colour alone. */
export type Tone = 'passed' | 'failed' | 'open'

export interface Cell {
  readonly text: string
  /** From the project's root. */
  readonly href?: string
  readonly tone?: Tone
}

export interface SectionTable {
  readonly caption?: string
  readonly columns: readonly string[]
  readonly rows: readonly (readonly (Cell | string)[])[]
}

/** One part of the audit beside the claims: sentences and tables, for every format. */
export interface Section {
  readonly id: string
  readonly title: string
  readonly lead: readonly string[]
  readonly tables: readonly SectionTable[]
}

/** A cell as an object. */
export const cellOf = (cell: Cell | string): Cell => (typeof cell === 'string' ? { text: cell } : cell)

/** Whether something is as it should be. */
export const verdictCell = (passed: boolean, [yes, no]: readonly [string, string] = ['passed', 'failed']): Cell => ({
  text: passed ? yes : no,
  tone: passed ? 'passed' : 'failed',
})

export const percent = (share: number): string => `${(100 * share).toFixed(1)}\u00a0%`
export const points = (share: number): string => `${share >= 0 ? '+' : '−'}${Math.abs(100 * share).toFixed(1)}`
