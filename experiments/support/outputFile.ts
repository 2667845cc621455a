import { accessSync, closeSync, constants, openSync, statSync, writeSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { createFolders } from '../../core/io/createFolders.ts'
import { UserError } from './errors.ts'

export interface OutputFile {
  /** Replaces what the file holds. @throws UserError */
  write(pieces: Iterable<string>): void
}

/**
 * A file, named by the option `flag`, for a result that is still to be computed. Whether it can be written shows now and not when
 * the work is done; its folder is made, the file is not. @throws UserError
 */
export const outputFile = (path: string, flag: string): OutputFile => {
  const attempt = (action: () => void): void => {
    try {
      action()
    } catch (cause) {
      throw new UserError(`${flag}: cannot write ${resolve(path)} (${(cause as Error).message})`, `choose another place with ${flag}`, {
        cause,
      })
    }
  }
  attempt(() => {
    if (/[\\/]$/.test(path)) throw new Error('it is the name of a folder')
    createFolders(dirname(path))
    const found = statSync(path, { throwIfNoEntry: false })
    if (found?.isDirectory()) throw new Error('it is a folder')
    accessSync(found ? path : dirname(path), constants.W_OK)
  })
  return {
    write: pieces =>
      attempt(() => {
        const descriptor = openSync(path, 'w')
        try {
          for (const piece of pieces) writeSync(descriptor, piece)
        } finally {
          closeSync(descriptor)
        }
      }),
  }
}
