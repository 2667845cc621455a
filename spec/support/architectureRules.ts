import { importsOf, type Source } from './sources.ts'

/** A rule of the architecture: says what is wrong with a file, one line each, nothing when all is well. */
export type Rule = (source: Source) => readonly string[]

const folderOf = (path: string): string => path.split('/')[0]!

const isLocal = (target: string): boolean => /^(core|algorithms|experiments|spec)\//.test(target)

/** What each folder may import besides itself. */
const mayImport: Record<string, readonly string[]> = {
  core: [],
  algorithms: ['core'],
  experiments: ['core', 'algorithms'],
  spec: ['core', 'algorithms', 'experiments'],
}

/** The audit joins the table of claims with code and results, so it reads that one data file. */
const allowedImports: readonly (readonly [importer: string, imported: string])[] = [['experiments/audit/', 'spec/claims.ts']]

/** core <- algorithms <- experiments; spec may import all; nothing imports spec or experiments. */
export const dependenciesPointOneWay: Rule = source =>
  importsOf(source)
    .filter(isLocal)
    .filter(target => folderOf(target) !== folderOf(source.path) && !mayImport[folderOf(source.path)]!.includes(folderOf(target)))
    .filter(target => !allowedImports.some(([importer, imported]) => source.path.startsWith(importer) && target === imported))
    .map(target => `${source.path} imports ${target}; ${folderOf(source.path)} must not depend on ${folderOf(target)}`)

/** Where a package may be imported; one that is not listed may be imported anywhere. */
const packageHomes: readonly (readonly [name: RegExp, home: RegExp, reason: string])[] = [
  [/^fast-check$/, /^spec\//, 'property testing belongs to spec'],
  [/^vitest(\/|$)/, /^spec\//, 'testing belongs to spec'],
  [/^mathjs$/, /^spec\//, 'it is an independent oracle'],
  [/^node:/, /^(core|experiments|spec)\//, 'algorithms have no files and no processes'],
  [/^(commander|cli-progress|zod)$/, /^(experiments|spec)\//, 'the command line belongs to experiments'],
]

export const packagesStayHome: Rule = source =>
  importsOf(source).flatMap(target =>
    packageHomes
      .filter(([name, home]) => name.test(target) && !home.test(source.path))
      .map(([, , reason]) => `${source.path} imports ${target}; ${reason}`),
  )

/** Algorithms know tensors, not backends. */
export const algorithmsKnowNoBackend: Rule = source => {
  if (folderOf(source.path) !== 'algorithms') return []
  const imported = importsOf(source)
    .filter(target => target.startsWith('core/backends/'))
    .map(target => `${source.path} imports ${target}; algorithms run on any backend`)
  const named = [...source.text.matchAll(/'(reference|cpu|gpu|fakeAsync)'/g)].map(
    ([, name]) => `${source.path} names the backend "${name}"; algorithms run on any backend`,
  )
  return [...imported, ...named]
}

/** Every draw comes from a key. */
export const noGlobalRandomness: Rule = source =>
  ['core', 'algorithms'].includes(folderOf(source.path)) && /Math\s*\.\s*random|\bcrypto\b/.test(source.text)
    ? [`${source.path} draws from a global generator; draw from a key or named draws`]
    : []

export const importsHaveExtensions: Rule = source =>
  importsOf(source)
    .filter(target => isLocal(target) && !/\.(ts|mjs|json)$/.test(target))
    .map(target => `${source.path} imports ${target} without its extension; write .ts`)

const longestFile = 300

/** Files that may be longer, and why. */
export const longFiles: Readonly<Record<string, string>> = {
  'spec/claims.ts': 'one table, read from top to bottom; every claim is a row',
}

export const filesAreShort: Rule = ({ path, text }) => {
  const lines = text.trimEnd().split('\n').length
  if (lines <= longestFile || longFiles[path]) return []
  return [`${path} has ${lines} lines, more than ${longestFile}; split it by concept, or list it with a reason`]
}

export const rules = {
  dependenciesPointOneWay,
  packagesStayHome,
  algorithmsKnowNoBackend,
  noGlobalRandomness,
  importsHaveExtensions,
  filesAreShort,
} satisfies Record<string, Rule>
