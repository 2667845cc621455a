import { FileError } from './fileError.ts'

/**
 * The path, if it has a name at all: the system finds an empty one nowhere, and what is joined to it would silently lie in the
 * current folder.
 *
 * @param of what the path is for, such as `reading`
 * @throws FileError
 */
export const requirePath = (path: string, of: string): string => {
  if (path !== '') return path
  throw new FileError(of, 'the name is empty', 'name a file or folder, "." for the current folder')
}
