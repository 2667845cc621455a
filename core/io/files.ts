/**
 * Whole files in, whole files out; `byteSource.ts` reads files in parts. Nothing else in the core touches the file system.
 *
 * Writing is atomic: a reader, or a process killed at any moment, finds the old file or the new one, never a part.
 */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { FileError } from './fileError.ts'
import type { HostTensor } from './hostTensor.ts'
import { readSafetensors, type Safetensors, writeSafetensors } from './safetensors.ts'

/** What went wrong and what to do, per system error code. */
const SYSTEM_ERRORS: Readonly<Record<string, readonly [rule: string, remedy: string]>> = {
  ENOENT: ['no such file or folder', 'check the path'],
  EACCES: ['permission denied', 'choose a place you may use or change its permissions'],
  EPERM: ['operation not permitted', 'choose a place you may use or change its permissions'],
  EROFS: ['the file system is read-only', 'choose another place'],
  EISDIR: ['it is a folder, not a file', 'give the path of a file'],
  ENOTDIR: ['a part of the path is a file, not a folder', 'check the path'],
  ENOSPC: ['the disk is full', 'free space or choose another place'],
  EDQUOT: ['the disk quota is used up', 'free space or choose another place'],
  ERR_FS_FILE_TOO_LARGE: ['the file is larger than 2 GiB', 'split it'],
}

/** The system's error on a path as a one-line `FileError`; the original one stays in `cause`. */
export const toFileError = (action: string, path: string, cause: unknown): FileError => {
  if (cause instanceof FileError) return cause
  const { code, message } = cause as NodeJS.ErrnoException
  const [rule, remedy] = SYSTEM_ERRORS[code ?? ''] ?? [message, 'check the path and the disk']
  return new FileError(path, `${action} failed: ${rule}`, remedy, { cause })
}

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

/** @throws FileError when the file cannot be read or is damaged */
export const loadSafetensors = (path: string): Safetensors => readSafetensors(readFileBytes(path), path)

/** @throws FileError when a tensor is inconsistent or the file cannot be written */
export const saveSafetensors = (
  path: string,
  tensors: Readonly<Record<string, HostTensor>>,
  metadata: Readonly<Record<string, string>> = {},
): void => writeFileAtomic(path, writeSafetensors(tensors, metadata))
