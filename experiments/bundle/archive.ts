import { spawn, spawnSync } from 'node:child_process'
import { createWriteStream, openSync, renameSync, rmSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { Readable, type Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { createFolders } from '../../core/io/createFolders.ts'
import { EXIT, UserError } from '../support/errors.ts'
import type { Entry } from './entry.ts'
import { tarPieces } from './tarWriter.ts'

export type Compression = 'xz' | 'gz'

/** xz where it is installed: a third smaller. */
export const presentCompression = (): Compression => (spawnSync('xz', ['--version']).status === 0 ? 'xz' : 'gz')

/** One thread, so that the bytes do not depend on the number of processors. */
const compressXz = async (pieces: Readable, to: Writable): Promise<void> => {
  const child = spawn('xz', ['-6', '-T1', '-c'], { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = new Promise<void>((resolve, reject) =>
    child.on('error', reject).on('close', status => {
      if (status === 0) resolve()
      else reject(new UserError(`bundle: xz ended with ${status}`, 'look for its message above'))
    }),
  )
  await Promise.all([ended, pipeline(pieces, child.stdin), pipeline(child.stdout, to)])
}

export interface ArchiveOptions {
  readonly out: string
  readonly compression: Compression
  /** Told the bytes of every piece before compression. */
  readonly onBytes?: (bytes: number) => void
}

/** Writes the files under one folder `folder` into a compressed tar archive. Returns its bytes; nothing is left where it fails or is interrupted. */
export const writeArchive = async (
  folder: string,
  entries: readonly Entry[],
  { out, compression, onBytes = () => undefined }: ArchiveOptions,
): Promise<number> => {
  const pieces = function* () {
    for (const piece of tarPieces(entries.map(entry => ({ ...entry, path: `${folder}/${entry.path}` })))) {
      onBytes(piece.length)
      yield piece
    }
  }
  // Of this process alone: another one may be making the same archive.
  const partial = `${out}.${process.pid}.part`
  const removePartial = (): void => rmSync(partial, { force: true })
  const interrupted = (): void => process.exit(EXIT.interrupted)
  createFolders(dirname(out))
  process.on('exit', removePartial).on('SIGINT', interrupted).on('SIGTERM', interrupted)
  try {
    const stream = Readable.from(pieces(), { objectMode: false })
    // Opened at once: a file that is opened while its stream fails would come to be after it was removed.
    const to = createWriteStream(partial, { fd: openSync(partial, 'w') })
    if (compression === 'xz') await compressXz(stream, to)
    else await pipeline(stream, createGzip({ level: 9 }), to)
    renameSync(partial, out)
  } finally {
    process.off('exit', removePartial).off('SIGINT', interrupted).off('SIGTERM', interrupted)
    removePartial()
  }
  return statSync(out).size
}
