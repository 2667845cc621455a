import { lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { UserError } from '../support/errors.ts'

/**
 * The regular files at or below `path` (a file or a folder, relative to `root`), as paths from `root`. `wanted` is asked
 * for every folder and file, and a folder that is not wanted is not entered.
 *
 * @throws UserError at a symbolic link or anything else that is no plain file: an archive of them is not the same elsewhere
 */
export const readTree = (root: string, path: string, wanted: (path: string) => boolean = () => true): string[] => {
  if (!wanted(path)) return []
  const found = lstatSync(join(root, path))
  if (found.isFile()) return [path]
  if (found.isDirectory()) return readdirSync(join(root, path)).flatMap(name => readTree(root, `${path}/${name}`, wanted))
  throw new UserError(
    `bundle: ${join(root, path)} is a link or a special file`,
    'replace it by the file itself (npm ci restores node_modules)',
  )
}
