import { execFileSync } from 'node:child_process'
import { readFileSync, realpathSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** What a result was computed with: enough to compute it again, and to explain a difference. */
export interface Provenance {
  readonly seed: number
  readonly backend: string
  /** The commit of the code, and whether the working tree had changes beside it; null outside a git checkout and a bundle of one. */
  readonly git: { readonly commit: string; readonly dirty: boolean } | null
  readonly version: string
  readonly node: string
  readonly platform: string
  readonly cpu: { readonly model: string; readonly count: number }
  /** Installed versions of the runtime dependencies; null for one that is not installed. */
  readonly dependencies: Readonly<Record<string, string | null>>
  /** ISO 8601, UTC. */
  readonly time: string
}

const PROJECT_ROOT = fileURLToPath(new URL('../..', import.meta.url))

const git = (root: string, ...args: string[]): string =>
  execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()

const gitState = (root: string): Provenance['git'] => {
  try {
    // The project may lie unpacked inside the checkout of something else, whose commit says nothing about this code.
    if (realpathSync(git(root, 'rev-parse', '--show-toplevel')) !== realpathSync(root)) return null
    return { commit: git(root, 'rev-parse', 'HEAD'), dirty: git(root, 'status', '--porcelain') !== '' }
  } catch {
    return null
  }
}

/** What `npm run bundle` noted of the checkout it was run in; null where this is no bundle. */
const bundledState = (root: string): Provenance['git'] => {
  try {
    return JSON.parse(readFileSync(join(root, 'bundle.json'), 'utf8')).git
  } catch {
    return null
  }
}

const readPackage = (folder: string): { version: string; dependencies?: Record<string, string> } =>
  JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))

const installedVersion = (root: string, name: string): string | null => {
  try {
    return readPackage(join(root, 'node_modules', name)).version
  } catch {
    return null
  }
}

/**
 * The first 12 digits of the commit, with a word where there were changes; outside a checkout the version. Part of the options of
 * a run, so that it is not continued by other code. All changes have one name.
 */
export const nameOfCode = ({ git, version }: Pick<Provenance, 'git' | 'version'>): string =>
  git ? `${git.commit.slice(0, 12)}${git.dirty ? ' with changes' : ''}` : `version ${version}`

/** @param options.root the project's folder, for tests */
export const collectProvenance = ({
  seed,
  backend,
  root = PROJECT_ROOT,
}: {
  readonly seed: number
  readonly backend: string
  readonly root?: string
}): Provenance => {
  const { version, dependencies = {} } = readPackage(root)
  const processors = cpus()
  return {
    seed,
    backend,
    git: gitState(root) ?? bundledState(root),
    version,
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    cpu: { model: processors[0]?.model.trim() ?? 'unknown', count: processors.length },
    dependencies: Object.fromEntries(Object.keys(dependencies).map(name => [name, installedVersion(root, name)])),
    time: new Date().toISOString(),
  }
}
