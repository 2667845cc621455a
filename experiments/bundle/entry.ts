/** A file of the archive. */
export interface Entry {
  /** From the archive's one folder, with `/` between names. */
  readonly path: string
  readonly content: Uint8Array
  readonly executable?: boolean
  /** What it counts as in the table of sizes. */
  readonly part: string
}

/** By path, in the order of bytes, so that an archive of the same files is the same archive. */
export const sorted = (entries: readonly Entry[]): Entry[] => [...entries].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0))
