import { closeSync, existsSync, fsyncSync, ftruncateSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { createFolders } from '../../core/io/createFolders.ts'
import { FileError } from '../../core/io/fileError.ts'
import { toFileError } from '../../core/io/files.ts'
import { UserError } from '../support/errors.ts'
import { createProgress, type Progress, type ProgressOptions } from '../support/progress.ts'
import { type Digest, digestOf } from './digest.ts'
import { networkReason, openSource, type Source } from './source.ts'

export interface DownloadOptions {
  /** `https:`, `http:` or `file:`. */
  readonly url: string
  /** Where the file shall lie; its folder is created. */
  readonly path: string
  readonly digest: Digest
  /** Bytes, if known beforehand. */
  readonly size?: number | undefined
  readonly progress?: (options: ProgressOptions) => Progress
  /** For tests; Node's by default. */
  readonly fetch?: typeof globalThis.fetch
}

const PROGRESS_UNIT_BYTES = 1000

const sizeOf = (path: string): number => (existsSync(path) ? statSync(path).size : 0)

/** Whether the file is there, whole and right. */
const isRight = async (path: string, { digest, size }: DownloadOptions): Promise<boolean> =>
  existsSync(path) && (size === undefined || sizeOf(path) === size) && (await digestOf(path, digest.kind)) === digest.hex

/** Opens the part file to append to what it has up to byte `start`. @throws FileError */
const openPart = (part: string, start: number): number => {
  try {
    const file = openSync(part, 'a')
    ftruncateSync(file, start)
    return file
  } catch (cause) {
    throw toFileError('writing', part, cause)
  }
}

const write = (file: number, bytes: Uint8Array, part: string): void => {
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at)
  } catch (cause) {
    throw toFileError('writing', part, cause)
  }
}

/** Writes what the source gives, at most one piece more than `size`. @throws UserError when it breaks off, FileError */
const append = async (part: string, { start, parts }: Source, size: number | undefined, o: DownloadOptions): Promise<void> => {
  const kilobytes = (bytes: number): number => Math.floor(bytes / PROGRESS_UNIT_BYTES)
  const progress = (o.progress ?? createProgress)({
    label: basename(o.path),
    total: kilobytes(size ?? 0),
    unit: 'kB',
    done: kilobytes(start),
    silent: size === undefined,
  })
  const file = openPart(part, start)
  let done = start
  try {
    for await (const bytes of parts) {
      write(file, bytes, part)
      progress.advance(kilobytes(done + bytes.length) - kilobytes(done))
      done += bytes.length
      if (size !== undefined && done > size) return
    }
    if (size !== undefined && done < size) throw new Error('it ended early')
    progress.finish()
  } catch (cause) {
    if (cause instanceof FileError) throw cause
    const what = `${o.url} broke off after ${done} of ${size ?? 'unknown'} bytes (${networkReason(cause)})`
    throw new UserError(what, 'run the command again, it goes on from there', { cause })
  } finally {
    progress.stop()
    fsyncSync(file)
    closeSync(file)
  }
}

/**
 * Fetches a file, unless it is there already with the right checksum. The bytes go to `<path>.part`; if the connection
 * breaks, or the process is stopped, the next call goes on from there. The file gets its name only with the right size and
 * checksum, so under that name there is never a part or anything else.
 *
 * @throws UserError when the source cannot be reached, refuses, breaks off, or gives another file than expected (which is then
 *   deleted); FileError when the disk is full or the place may not be used
 */
export const download = async (o: DownloadOptions): Promise<void> => {
  if (await isRight(o.path, o)) return
  const part = `${o.path}.part`
  try {
    createFolders(dirname(o.path))
  } catch (cause) {
    throw toFileError('creating', dirname(o.path), cause)
  }
  if (!(await isRight(part, o))) await fetchTo(part, o)
  try {
    renameSync(part, o.path)
  } catch (cause) {
    throw toFileError('writing', o.path, cause)
  }
}

const fetchTo = async (part: string, o: DownloadOptions): Promise<void> => {
  const have = sizeOf(part)
  const source = await openSource(o.url, o.size !== undefined && have >= o.size ? 0 : have, o.fetch ?? globalThis.fetch)
  const differs = (what: string): UserError => {
    rmSync(part, { force: true })
    const remedy = 'nothing of it was kept; run the command again, and if it stays so, the file there has changed: fetch it from elsewhere'
    return new UserError(`${o.url} is not the file expected: ${what}`, remedy)
  }
  const { size: offered } = source
  if (o.size !== undefined && offered !== undefined && offered !== o.size) {
    // Ends the connection: the rest is not wanted.
    for await (const _ of source.parts) break
    throw differs(`it has ${offered} bytes instead of ${o.size}`)
  }
  const expected = o.size ?? offered
  await append(part, source, expected, o)
  const got = sizeOf(part)
  if (expected !== undefined && got !== expected) throw differs(`it has more than its ${expected} bytes`)
  const hex = await digestOf(part, o.digest.kind)
  if (hex !== o.digest.hex)
    throw differs(`its ${o.digest.kind === 'sha256' ? 'SHA-256' : 'git SHA-1'} is ${hex} instead of ${o.digest.hex}`)
}
