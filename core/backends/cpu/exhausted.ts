/** A block in use: who asked for it, and its size. */
export interface LiveBlock {
  readonly owner: string
  readonly bytes: number
}

const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`

/** The three kinds of blocks (owner and size) that take the most, such as `12 x 4.0 MiB by conv2d`. */
const largest = (blocks: Iterable<LiveBlock>): string => {
  const kinds = new Map<string, { count: number; bytes: number; owner: string }>()
  for (const { owner, bytes } of blocks) {
    const kind = kinds.get(`${owner} ${bytes}`)
    if (kind) kind.count++
    else kinds.set(`${owner} ${bytes}`, { count: 1, bytes, owner })
  }
  return [...kinds.values()]
    .sort((a, b) => b.count * b.bytes - a.count * a.bytes)
    .slice(0, 3)
    .map(({ count, bytes, owner }) => `${count} x ${mebibytes(bytes)} by ${owner}`)
    .join(', ')
}

/** What to say when the memory cannot hold what `owner` asks for. */
export const exhaustedMessage = (
  asked: LiveBlock,
  { live, maximum, blocks }: { readonly live: number; readonly maximum: number; readonly blocks: Iterable<LiveBlock> },
): string => {
  const most = largest(blocks)
  return `${asked.owner}: the memory is exhausted, asked ${mebibytes(asked.bytes)} with ${mebibytes(live)} live of at most ${mebibytes(maximum)}${most && `, most of it ${most}`}; reduce the batch size, set checkpointing in the purifier, or dispose tensors that are no longer needed`
}
