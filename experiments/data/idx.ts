import { FileError } from '../../core/io/fileError.ts'
import { readPlainOrGzip } from './plainOrGzip.ts'

/** The content of an idx file of bytes. */
export interface Idx {
  readonly shape: readonly number[]
  readonly values: Uint8Array
}

const UNSIGNED_BYTE = 0x08
const REMEDY = 'use the idx files of MNIST, such as train-images-idx3-ubyte'

/**
 * Reads an idx file of unsigned bytes, plain or gzipped: two zero bytes, the type of the elements, the number of dimensions,
 * each dimension as a big-endian 32-bit number, then the elements, the last dimension moving fastest.
 * @throws FileError when the header is none, the elements are no bytes, or there are more or fewer than it says
 */
export const readIdx = (path: string): Idx => {
  const bytes = readPlainOrGzip(path)
  const fail = (rule: string): never => {
    throw new FileError(path, rule, REMEDY)
  }
  if (bytes.length < 4 || bytes[0] !== 0 || bytes[1] !== 0) return fail('this is no idx file')
  const [type, rank] = [bytes[2]!, bytes[3]!]
  if (type !== UNSIGNED_BYTE)
    return fail(`its elements are of type 0x${type.toString(16).padStart(2, '0')}, only bytes (0x08) are supported`)
  const begin = 4 + 4 * rank
  if (bytes.length < begin) return fail(`file is truncated: ${rank} dimensions need ${begin} bytes, there are ${bytes.length}`)
  const view = new DataView(bytes.buffer, bytes.byteOffset, begin)
  const shape = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i))
  const count = shape.reduce((size, length) => size * length, 1)
  if (bytes.length - begin !== count) return fail(`[${shape}] needs ${count} bytes after the header, there are ${bytes.length - begin}`)
  return { shape, values: bytes.subarray(begin) }
}
