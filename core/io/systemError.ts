import { FileError } from './fileError.ts'
import { requirePath } from './requirePath.ts'

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

/** The system's error on a path as a one-line `FileError`; the original one stays in `cause`. @throws FileError when the path is empty */
export const toFileError = (action: string, path: string, cause: unknown): FileError => {
  if (cause instanceof FileError) return cause
  requirePath(path, action)
  const { code, message } = cause as NodeJS.ErrnoException
  const [rule, remedy] = SYSTEM_ERRORS[code ?? ''] ?? [message, 'check the path and the disk']
  return new FileError(path, `${action} failed: ${rule}`, remedy, { cause })
}
