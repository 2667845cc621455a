import { existsSync, mkdirSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

/**
 * A folder and those above it, as far as they are missing. Node's own `recursive` never returns where a folder that exists says
 * that it does not when one is made in it, as those below /proc do.
 *
 * @throws the error of the first that cannot be made
 */
export const createFolders = (path: string): void => {
  const folder = resolve(path)
  if (!existsSync(dirname(folder))) createFolders(dirname(folder))
  try {
    mkdirSync(folder)
  } catch (cause) {
    if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) throw cause
  }
}
