import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Root folder of the project. */
export const projectRoot = join(dirname(fileURLToPath(import.meta.url)), '..', '..')

/** A source file: its path from the root with forward slashes, and its text. */
export interface Source {
  readonly path: string
  readonly text: string
}

/** Every TypeScript file under the given folders. */
export const readSources = (...folders: readonly string[]): Source[] =>
  folders
    .filter(folder => existsSync(join(projectRoot, folder)))
    .flatMap(folder =>
      readdirSync(join(projectRoot, folder), { recursive: true, encoding: 'utf8' })
        .map(path => posix.join(folder, path.replaceAll('\\', '/')))
        .filter(path => path.endsWith('.ts') && !path.includes('node_modules/')),
    )
    .sort()
    .map(path => ({ path, text: readFileSync(join(projectRoot, path), 'utf8') }))

const importPattern =
  /(?:^|[\n;])\s*(?:import|export)\s[^'"`;]*?from\s*'([^']+)'|\bimport\s*\(\s*'([^']+)'|(?:^|[\n;])\s*import\s*'([^']+)'/g

/** What a file imports: a path from the root for a relative import, else the package's name. */
export const importsOf = ({ path, text }: Source): string[] =>
  [...text.matchAll(importPattern)].map(([, a, b, c]) => {
    const target = (a ?? b ?? c)!
    return target.startsWith('.') ? posix.join(posix.dirname(path), target) : target
  })
