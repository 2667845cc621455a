import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { FileError } from './fileError.ts'
import { toFileError } from './systemError.ts'

/**
 * Bytes that are read in parts, so that a reader needs no more of a file in memory than it looks at.
 *
 * `read` and `copy` give bytes `begin` to `end` (exclusive, in bounds as the caller has checked). Those of `read` may be
 * shared and are not to be changed; those of `copy` fill a buffer of their own, which the caller may keep.
 */
export interface ByteSource {
  /** For messages. */
  readonly name: string
  readonly size: number
  readonly read: (begin: number, end: number) => Uint8Array
  readonly copy: (begin: number, end: number) => Uint8Array<ArrayBuffer>
}

/** Bytes already in memory. */
export const memorySource = (bytes: Uint8Array, name: string): ByteSource => {
  // A Node Buffer's `slice` would share memory where a typed array's copies.
  const plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return {
    name,
    size: plain.length,
    read: (begin, end) => plain.subarray(begin, end),
    copy: (begin, end) => plain.slice(begin, end) as Uint8Array<ArrayBuffer>,
  }
}

/**
 * Opens a file for the time of `use` and closes it whatever happens.
 * @throws FileError when the file cannot be opened or read, or shrinks while it is read
 */
export const withFileSource = <T>(path: string, use: (source: ByteSource) => T): T => {
  const guarded = <R>(action: () => R): R => {
    try {
      return action()
    } catch (cause) {
      throw toFileError('reading', path, cause)
    }
  }
  const file = guarded(() => openSync(path, 'r'))
  try {
    const { size } = guarded(() => {
      const stat = fstatSync(file)
      if (stat.isDirectory()) throw Object.assign(new Error('it is a folder'), { code: 'EISDIR' })
      return stat
    })
    const copy = (begin: number, end: number): Uint8Array<ArrayBuffer> => guarded(() => readRange(file, { begin, end, path }))
    return use({ name: path, size, read: copy, copy })
  } finally {
    closeSync(file)
  }
}

/** One system call reads at most 2 GiB; a gigabyte at a time stays below on every platform. */
const MAX_READ = 2 ** 30

const readRange = (file: number, { begin, end, path }: { begin: number; end: number; path: string }): Uint8Array<ArrayBuffer> => {
  const bytes = new Uint8Array(end - begin)
  for (let done = 0; done < bytes.length; ) {
    const count = readSync(file, bytes, done, Math.min(bytes.length - done, MAX_READ), begin + done)
    if (count === 0) throw new FileError(path, `the file ended at byte ${begin + done} while it was read`, 'let its writer finish first')
    done += count
  }
  return bytes
}
