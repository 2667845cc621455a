import { FileError } from '../../core/io/fileError.ts'
import { type FileContent, readPlainOrGzip } from './plainOrGzip.ts'

const BLOCK = 512
const NAME = [0, 100] as const
const SIZE = [124, 12] as const
const CHECKSUM = [148, 8] as const
const TYPE = 156
const REGULAR_TYPES = ['0', '\0']

const text = (header: Uint8Array, [at, length]: readonly [number, number]): string => {
  const field = header.subarray(at, at + length)
  const end = field.indexOf(0)
  return String.fromCharCode(...field.subarray(0, end < 0 ? length : end))
}

/** The header's bytes added up, those of the checksum itself taken as blanks. */
const checksumOf = (header: Uint8Array): number =>
  header.reduce((sum, byte, i) => sum + (i >= CHECKSUM[0] && i < CHECKSUM[0] + CHECKSUM[1] ? 0x20 : byte), 0)

/**
 * The content of one regular file in a tar archive (POSIX.1-1988 ustar and older: names up to 100 bytes). Nothing is unpacked
 * to the names the archive gives.
 * @throws FileError when the archive is damaged or has no such file
 */
export const tarFile = (archive: Uint8Array, name: string, source: string): Uint8Array => {
  const damaged = (rule: string): FileError => new FileError(source, rule, 'delete the archive and fetch it again')
  for (let at = 0; at + BLOCK <= archive.length; ) {
    const header = archive.subarray(at, at + BLOCK)
    if (header.every(byte => byte === 0)) break
    if (Number.parseInt(text(header, CHECKSUM), 8) !== checksumOf(header)) throw damaged(`tar header at byte ${at} has a wrong checksum`)
    const size = Number.parseInt(text(header, SIZE), 8)
    const start = at + BLOCK
    if (!(size >= 0 && start + size <= archive.length))
      throw damaged(`tar file ${JSON.stringify(text(header, NAME))} goes beyond the archive's ${archive.length} bytes`)
    if (text(header, NAME) === name && REGULAR_TYPES.includes(String.fromCharCode(header[TYPE]!)))
      return archive.subarray(start, start + size)
    at = start + Math.ceil(size / BLOCK) * BLOCK
  }
  throw damaged(`tar archive has no file ${JSON.stringify(name)}`)
}

const MAGIC_AT = 257
const isTar = (bytes: Uint8Array): boolean =>
  bytes.length >= BLOCK && String.fromCharCode(...bytes.subarray(MAGIC_AT, MAGIC_AT + 5)) === 'ustar'

/**
 * Every path that is a tar archive, gzipped or not, replaced by the files in it that are wanted; other paths as they are.
 * @throws FileError when an archive is damaged or lacks one of the files
 */
export const openArchives = (paths: readonly string[], members: readonly string[]): FileContent[] =>
  paths.flatMap((path): FileContent[] => {
    if (!/\.(tar|tgz|tar\.gz)$/.test(path)) return [path]
    const bytes = readPlainOrGzip(path)
    if (!isTar(bytes)) throw new FileError(path, 'it is no tar archive', 'fetch it again, or name the files that were in it')
    return members.map(name => ({ name: `${path}!${name}`, bytes: tarFile(bytes, name, path) }))
  })
