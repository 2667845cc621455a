import { UserError } from '../support/errors.ts'
import type { Entry } from './entry.ts'

/** The most that a bundle may weigh, in bytes: machines without a registry are often reached through narrow doors. */
export const mostBytes = 45e6

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1)

/** Bytes of each part before compression, largest first. */
export const partSizes = (entries: readonly Entry[]): { readonly part: string; readonly bytes: number }[] => {
  const sizes = new Map<string, number>()
  for (const { part, content } of entries) sizes.set(part, (sizes.get(part) ?? 0) + content.length)
  return [...sizes].map(([part, bytes]) => ({ part, bytes })).sort((a, b) => b.bytes - a.bytes)
}

/** The parts that make up 99 % of the bytes, a line each, and the rest as one. */
export const formatSizes = (entries: readonly Entry[]): string => {
  const sizes = partSizes(entries)
  const total = sizes.reduce((sum, { bytes }) => sum + bytes, 0)
  const lines: string[] = []
  let shown = 0
  for (const { part, bytes } of sizes) {
    if (shown >= 0.99 * total) break
    lines.push(`  ${megabytes(bytes).padStart(6)} MB  ${part}`)
    shown += bytes
  }
  const rest = sizes.length - lines.length
  if (rest > 0) lines.push(`  ${megabytes(total - shown).padStart(6)} MB  ${rest} more parts`)
  return [...lines, `  ${megabytes(total).padStart(6)} MB  before compression`].join('\n')
}

/** @throws UserError when an archive is heavier than `most`, naming its largest parts */
export const checkSize = (
  bytes: number,
  entries: readonly Entry[],
  { most = mostBytes, remedy }: { most?: number; remedy: string },
): void => {
  if (bytes <= most) return
  const largest = partSizes(entries).slice(0, 4)
  const parts = largest.map(({ part, bytes }) => `${part} ${megabytes(bytes)}`).join(', ')
  throw new UserError(`bundle: the archive has ${megabytes(bytes)} MB, more than ${megabytes(most)}; before compression: ${parts}`, remedy)
}
