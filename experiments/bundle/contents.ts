import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { collectProvenance } from '../support/provenance.ts'
import { compile } from './compile.ts'
import { type Entry, sorted } from './entry.ts'
import { launcherEntries } from './launcher.ts'
import { packageFiles, packageFolders } from './packages.ts'
import { readTree } from './readTree.ts'
import { stripElf } from './stripElf.ts'
import { vulkanLoader } from './vulkanLoader.ts'

/** What of the project a bundle holds; the golden vectors are for `dbp parity`, the claims for the command line to load. */
const sourceFolders = ['core', 'algorithms', 'experiments', 'spec/claims.ts']
const goldenFolder = 'spec/golden'
const documents = ['package.json', 'README.md', 'LICENSE', 'tsconfig.json']

/** Files of the project, as paths from its folder. */
export const projectFiles = (root: string, { golden }: { readonly golden: boolean }): string[] =>
  [...sourceFolders, ...(golden ? [goldenFolder] : []), ...documents].flatMap(path => readTree(root, path))

const partOf = (path: string): string => (/\.ts$|\.mjs$/.test(path) || documents.includes(path) ? 'sources' : 'weights and data')

const compiled = async ({ path, content }: Entry): Promise<Entry> => ({
  path: path.replace(/ts$/, 'js'),
  content: Buffer.from(await compile(Buffer.from(content).toString('utf8'), path)),
  part: 'compiled sources',
})

const nameOf = (folder: string): string => folder.slice(folder.lastIndexOf('node_modules/') + 'node_modules/'.length)

/** A file as a bundle holds it; native libraries without what only debuggers read. */
const read = (root: string, path: string, part: string): Entry => {
  const content = readFileSync(join(root, path))
  return { path, content: /\.node$|\.so(\.\d+)*$/.test(path) ? stripElf(content) : content, part }
}

/** The launcher brings its own tsx; gl is compiled for one machine, if at all, and gpu.js does without. */
export const leftOut: readonly string[] = ['tsx', 'gl']

export interface ContentOptions {
  /** The project's folder. */
  readonly root: string
  /** Packages to leave out although sources import them. */
  readonly without?: readonly string[]
  /** Whether to carry the golden vectors that parity compares with. */
  readonly golden: boolean
  /** Whether to carry this machine's Vulkan loader. */
  readonly loader?: boolean
}

/**
 * Everything a bare linux-x64 machine needs to run the commands, sorted by path: this Node, the packages that the sources
 * import, the sources and beside them what they compile to, weights, data, and the launcher `dbp`.
 */
export const bundleContents = async ({ root, golden, without, loader = false }: ContentOptions): Promise<Entry[]> => {
  const own = projectFiles(root, { golden })
  const entries = own.map(path => read(root, path, partOf(path)))
  const packages = packageFolders(
    root,
    own.filter(path => /\.(ts|mjs)$/.test(path)),
    { without: [...leftOut, ...(without ?? [])] },
  )
  const { git, node } = collectProvenance({ seed: 0, backend: 'none', root })
  return sorted([
    { path: 'node', content: stripElf(readFileSync(process.execPath)), executable: true, part: 'Node' },
    { path: 'bundle.json', content: Buffer.from(`${JSON.stringify({ git, node })}\n`), part: 'launcher' },
    ...launcherEntries(),
    ...(loader ? [vulkanLoader()] : []),
    ...entries,
    ...(await Promise.all(entries.filter(({ path }) => /\.ts$/.test(path)).map(compiled))),
    ...packages.flatMap(folder =>
      packageFiles(root, folder).map(path => read(root, path, path.endsWith('.node') ? 'native libraries' : `package ${nameOf(folder)}`)),
    ),
  ])
}
