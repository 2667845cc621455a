import type { Share } from '../threads/onThreads.ts'

/** Pixels and taps per block: 288 KiB packed, which stays in the second-level cache. */
export const blockPixels = 256
export const blockTaps = 288

/** For the estimate of how long a convolution takes. */
export const multiplyAddsPerNanosecond = 20

/** Splits `count` into the fewest blocks of at most `limit`, about equally long and multiples of eight. */
export const blockLength = (count: number, limit: number): number => Math.ceil(count / Math.ceil(count / limit) / 8) * 8

/** How the rows (channels) of a block of pixels are divided into units of work. */
export interface RowParts {
  readonly rows: number
  readonly parts: number
  readonly partRows: number
}

/** Rows per unit of work where there are too few blocks of pixels for all threads; a multiple of four. */
const unitRows = 16
const manyBlocks = 16

/** The parts of a block pack the same pixels again if different threads compute them, so of many blocks each is one part. */
export const rowParts = (blocks: number, rows: number): RowParts =>
  blocks >= manyBlocks ? { rows, parts: 1, partRows: rows } : { rows, parts: Math.ceil(rows / unitRows), partRows: unitRows }

/** Calls `each` with the blocks of a share, whose units are the parts of one block after the other, and with their rows there. */
export const eachBlockOf = (
  { first, end }: Pick<Share, 'first' | 'end'>,
  { rows, parts, partRows }: RowParts,
  each: (block: number, row: number, rows: number) => void,
): void => {
  for (let unit = first; unit < end; ) {
    const part = unit % parts
    const count = Math.min(parts - part, end - unit)
    const row = part * partRows
    each(Math.floor(unit / parts), row, Math.min(rows, row + count * partRows) - row)
    unit += count
  }
}
