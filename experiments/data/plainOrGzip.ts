import { readFileBytes } from '../../core/io/files.ts'
import { gunzip, isGzip } from '../../core/io/gzip.ts'

/** A file of an archive: its content and, for messages, where it is from. */
export interface NamedBytes {
  readonly name: string
  readonly bytes: Uint8Array
}

/** A file by its path, or already read. */
export type FileContent = string | NamedBytes

/** The content of a file, unpacked if it is gzipped. @throws FileError */
export const readPlainOrGzip = (path: string): Uint8Array => {
  const bytes = readFileBytes(path)
  return isGzip(bytes) || path.endsWith('.gz') ? gunzip(bytes, path) : bytes
}

/** The name of a file and its content, unpacked if it is gzipped. @throws FileError */
export const contentOf = (file: FileContent): NamedBytes => (typeof file === 'string' ? { name: file, bytes: readPlainOrGzip(file) } : file)
