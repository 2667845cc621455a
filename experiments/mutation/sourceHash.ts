import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'

const importPattern = /(?:\bfrom|\bimport)\s*\(?\s*'(\.[^']+)'/g

/** The given files and all that they import from the project, directly or not: paths from the root, sorted. */
export const sourceClosure = (root: string, entries: readonly string[]): string[] => {
  const found = new Set<string>()
  const visit = (path: string): void => {
    if (found.has(path) || !existsSync(join(root, path))) return
    found.add(path)
    if (!path.endsWith('.ts')) return
    for (const [, target] of readFileSync(join(root, path), 'utf8').matchAll(importPattern)) visit(posix.join(posix.dirname(path), target!))
  }
  entries.forEach(visit)
  return [...found].sort()
}

/** What every spec is run by. */
const setting = ['package.json', 'vitest.config.ts', 'spec/support/setup.ts']

/** Changes when a source does that the entries depend on, or `what` is done with them. */
export const sourceHash = (root: string, entries: readonly string[], what: unknown): string => {
  const hash = createHash('sha256').update(JSON.stringify(what))
  for (const path of sourceClosure(root, [...setting, ...entries])) hash.update(`\n${path}\n`).update(readFileSync(join(root, path)))
  return hash.digest('hex').slice(0, 16)
}
