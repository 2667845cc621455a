import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { UserError } from '../support/errors.ts'
import { readTree } from './readTree.ts'

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

const readManifest = (folder: string): Manifest => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))

const importPattern = /\b(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/g

/** Names of the packages in the import statements and calls of a source text. */
const importedPackages = (text: string): string[] =>
  [...text.matchAll(importPattern)].map(([, target]) =>
    target!
      .split('/')
      .slice(0, target!.startsWith('@') ? 2 : 1)
      .join('/'),
  )

/** The folder that Node would find a package in, from a folder below `root` or `root` itself (paths from `root`, `''` itself). */
const findPackage = (root: string, from: string, name: string): string | undefined => {
  for (let folder = from; ; folder = folder.includes('/node_modules/') ? folder.slice(0, folder.lastIndexOf('/node_modules/')) : '') {
    const path = join(folder, 'node_modules', name)
    if (existsSync(join(root, path, 'package.json'))) return path
    if (folder === '') return undefined
  }
}

/**
 * Folders (from `root`) of the packages that the sources import and of all that these depend on. Only what package.json
 * names for production counts; an optional package that is not installed, or that `without` names, is left out.
 *
 * @throws UserError when one is not installed
 */
export const packageFolders = (
  root: string,
  sources: readonly string[],
  { without = [] }: { readonly without?: readonly string[] } = {},
): string[] => {
  const imported = new Set(sources.flatMap(path => importedPackages(readFileSync(join(root, path), 'utf8'))))
  const folders = new Set<string>()
  const add = (from: string, names: readonly string[], isOptional: (name: string) => boolean): void => {
    for (const name of names) {
      if (without.includes(name)) continue
      const folder = findPackage(root, from, name)
      if (folder === undefined) {
        if (isOptional(name)) continue
        throw new UserError(`bundle: the package ${name} is not installed`, 'run npm ci')
      }
      if (folders.has(folder)) continue
      folders.add(folder)
      const { dependencies = {}, optionalDependencies = {} } = readManifest(join(root, folder))
      add(folder, Object.keys({ ...dependencies, ...optionalDependencies }), each => each in optionalDependencies)
    }
  }
  const { dependencies = {}, optionalDependencies = {} } = readManifest(root)
  const production = Object.keys({ ...dependencies, ...optionalDependencies }).filter(name => imported.has(name))
  add('', production, name => name in optionalDependencies)
  return [...folders]
}

/** Folders that only developers of a package read. */
const developersFolder = /^(node_modules|\.github|docs?|tests?|__tests__|examples?|bench|benchmarks?|coverage|typings)$/

/** Folders that hold binaries for one platform. */
const platformFolder = /^(darwin|linux|linuxmusl|win32|freebsd)-(universal|x64|arm64|arm|ia32)$/

/** Declarations, sources in TypeScript, source maps and texts other than licences. */
const developersFile = /(\.[cm]?ts|\.map|\.tsbuildinfo|(^|\/)(?!licen[cs]e|notice|copying)[^/]*\.(md|markdown|txt))$/i

/** Builds that Node does not take. */
const otherBuilds: Readonly<Record<string, readonly string[]>> = {
  'gpu.js': ['dist'],
  fflate: ['umd'],
}

/** Whether a file or folder of a package, by its path in it, is of use where the package only runs, on linux-x64. */
export const runsFrom = (packageName: string, path: string): boolean => {
  const name = path.slice(path.lastIndexOf('/') + 1)
  if (developersFolder.test(name) || developersFile.test(path)) return false
  if (platformFolder.test(name) && name !== 'linux-x64') return false
  return !otherBuilds[packageName]?.includes(path)
}

/** The files of a package, as paths from `root`, that are of use where it only runs, on linux-x64. */
export const packageFiles = (root: string, folder: string): string[] => {
  const name = folder.slice(folder.lastIndexOf('node_modules/') + 'node_modules/'.length)
  return readTree(root, folder, path => path === folder || runsFrom(name, path.slice(folder.length + 1)))
}
