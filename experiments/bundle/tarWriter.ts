import type { Entry } from './entry.ts'

const block = 512

/** The same for every file, so that archives differ only where their files do: 2000-01-01 00:00 UTC, in seconds. */
const modified = 946_684_800

/** A path as the two fields of a header, the second put before the first with a `/`. @throws Error when it does not fit */
const splitPath = (path: string): { readonly name: string; readonly prefix: string } => {
  if (path.startsWith('/') || path.split('/').some(part => part === '..' || part === '.' || part === '')) {
    throw new Error(`tar: ${JSON.stringify(path)} is no plain relative path; name files from the archive's folder`)
  }
  if (Buffer.byteLength(path) <= 100) return { name: path, prefix: '' }
  for (let cut = path.indexOf('/'); cut >= 0; cut = path.indexOf('/', cut + 1)) {
    const [prefix, name] = [path.slice(0, cut), path.slice(cut + 1)]
    if (Buffer.byteLength(name) <= 100 && Buffer.byteLength(prefix) <= 155) return { name, prefix }
  }
  throw new Error(`tar: ${JSON.stringify(path)} does not fit a header of 100 and 155 bytes; use shorter names`)
}

const octal = (value: number, digits: number): string => value.toString(8).padStart(digits, '0')

/** A POSIX.1-1988 ustar header of a regular file, owned by nobody in particular. */
const headerOf = ({ path, content, executable = false }: Entry): Uint8Array => {
  const { name, prefix } = splitPath(path)
  const header = Buffer.alloc(block)
  const put = (at: number, text: string): number => header.write(text, at)
  put(0, name)
  put(100, octal(executable ? 0o755 : 0o644, 7))
  put(108, octal(0, 7))
  put(116, octal(0, 7))
  put(124, octal(content.length, 11))
  put(136, octal(modified, 11))
  put(148, ' '.repeat(8))
  put(156, '0')
  put(257, 'ustar')
  put(263, '00')
  put(345, prefix)
  const sum = header.reduce((total, byte) => total + byte, 0)
  put(148, `${octal(sum, 6)}\0 `)
  return header
}

/** A tar archive of regular files in the given order, piece by piece. @throws Error at a path that is not plain or too long */
export function* tarPieces(entries: Iterable<Entry>): Generator<Uint8Array> {
  for (const entry of entries) {
    yield headerOf(entry)
    yield entry.content
    yield new Uint8Array((block - (entry.content.length % block)) % block)
  }
  yield new Uint8Array(2 * block)
}
