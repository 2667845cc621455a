import { createHash } from 'node:crypto'
import { createReadStream, statSync } from 'node:fs'
import { toFileError } from '../../core/io/files.ts'

/**
 * The checksum that a file must have. `gitBlob` is the name git gives a file's content, SHA-1 over `blob <size>\0` and the
 * content: all that a model hub tells of its small files.
 */
export interface Digest {
  readonly kind: 'sha256' | 'gitBlob'
  /** Lower case. */
  readonly hex: string
}

/** The checksum of a file, read in parts. @throws FileError when it cannot be read */
export const digestOf = async (path: string, kind: Digest['kind']): Promise<string> => {
  try {
    const hash = createHash(kind === 'sha256' ? 'sha256' : 'sha1')
    if (kind === 'gitBlob') hash.update(`blob ${statSync(path).size}\0`)
    for await (const part of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(part)
    return hash.digest('hex')
  } catch (cause) {
    throw toFileError('reading', path, cause)
  }
}
