/**
 * Whole files in, whole files out; `byteSource.ts` reads files in parts, `createFolders.ts` makes folders. Nothing else in the core touches the file system.
 *
 * Writing is atomic: a reader, or a process killed at any moment, finds the old file or the new one, never a part.
 */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { withFileSource } from './byteSource.ts'
import type { HostTensor } from './hostTensor.ts'
import { openSafetensors, type Safetensors, writeSafetensors } from './safetensors.ts'
import { toFileError } from './systemError.ts'

export { toFileError } from './systemError.ts'

/** @throws FileError */
export const readFileBytes = (path: string): Uint8Array => {
  try {
    return readFileSync(path)
  } catch (cause) {
    throw toFileError('reading', path, cause)
  }
}

let temporaryFiles = 0

/**
 * Writes to a temporary file beside the target, flushes it to the disk and renames it over the target.
 * @throws FileError; the old file, if any, is then untouched and no temporary file remains
 */
export const writeFileAtomic = (path: string, content: Uint8Array | string): void => {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.${temporaryFiles++}.tmp`)
  try {
    const file = openSync(temporary, 'w')
    try {
      for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(temporary, path)
  } catch (cause) {
    rmSync(temporary, { force: true })
    throw toFileError('writing', path, cause)
  }
  flushFolder(dirname(path))
}

/** Makes the rename itself durable. Windows cannot open folders; there the rename is atomic but flushed later. */
const flushFolder = (path: string): void => {
  if (process.platform === 'win32') return
  const folder = openSync(path, 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}

/** Reads one tensor after the other. @throws FileError when the file cannot be read or is damaged */
export const loadSafetensors = (path: string): Safetensors => withFileSource(path, source => openSafetensors(source).read())

/** @throws FileError when a tensor is inconsistent or the file cannot be written */
export const saveSafetensors = (
  path: string,
  tensors: Readonly<Record<string, HostTensor>>,
  metadata: Readonly<Record<string, string>> = {},
): void => writeFileAtomic(path, writeSafetensors(tensors, metadata))
