import { readFileBytes } from '../../core/io/files.ts'
import { gunzip, isGzip } from '../../core/io/gzip.ts'

/** The content of a file, unpacked if it is gzipped. @throws FileError */
export const readPlainOrGzip = (path: string): Uint8Array => {
  const bytes = readFileBytes(path)
  return isGzip(bytes) || path.endsWith('.gz') ? gunzip(bytes, path) : bytes
}
