import { getBackend, loadBackend, setBackend } from '../../core/index.ts'
import { FileError } from '../../core/io/fileError.ts'
import { judge, type ParityRow } from './comparison.ts'
import { type GoldenFile, type GoldenFolder, openGoldenFolder } from './goldenFolder.ts'
import type { GoldenCase } from './kind.ts'
import { KINDS } from './kinds/index.ts'

export interface ParityOptions {
  /** Default 'cpu'. */
  readonly backend?: string
  /** Called with each case before it is computed. */
  readonly onCase?: (stem: string) => void
}

export interface ParityReport {
  readonly folder: string
  readonly backend: string
  readonly rows: readonly ParityRow[]
  /** Weights that were loaded and fit their network exactly, and for which no expected values exist. */
  readonly loaded: readonly string[]
  /** Stems of a kind that cannot be checked yet. */
  readonly unsupported: readonly string[]
  /** `file: tensor` that a checked file holds but nothing was compared with. */
  readonly unread: readonly string[]
  /** Files the manifest lists and the folder does not have. */
  readonly missing: readonly string[]
  readonly ok: boolean
}

const stemOf = (name: string): string => name.split('.', 1)[0]!

const caseOf = (folder: GoldenFolder, stem: string): { golden: GoldenCase; opened: Map<string, GoldenFile> } => {
  const opened = new Map<string, GoldenFile>()
  const nameOf = (role: string): string => (role === '' ? stem : `${stem}.${role}`)
  const find = (role: string): GoldenFile | undefined => {
    const name = nameOf(role)
    if (!opened.has(name) && folder.names.includes(name)) opened.set(name, folder.load(name))
    return opened.get(name)
  }
  const get = (role: string): GoldenFile => {
    const file = find(role)
    if (!file)
      throw new FileError(folder.path, `"${stem}" has no file ${nameOf(role)}.safetensors`, 'add it or remove the others of that name')
    return file
  }
  return { golden: { stem, folder, find, get }, opened }
}

/**
 * Runs this implementation on every golden file of a folder and compares it with the numbers other implementations gave.
 * The kind of a file is the beginning of its name.
 * @throws FileError when the folder or a file is missing or damaged; a difference is no error but a row that is not ok
 */
export const parity = async (path: string, { backend = 'cpu', onCase }: ParityOptions = {}): Promise<ParityReport> => {
  const folder = openGoldenFolder(path)
  const chosen = await loadBackend(backend)
  const rows: ParityRow[] = []
  const loaded: string[] = []
  const unsupported: string[] = []
  const unread: string[] = []
  for (const stem of new Set(folder.names.map(stemOf))) {
    const kind = KINDS.find(candidate => candidate.stem.test(stem))
    if (!kind) {
      unsupported.push(stem)
      continue
    }
    onCase?.(stem)
    const { golden, opened } = caseOf(folder, stem)
    setBackend(chosen)
    const comparisons = await kind.run(golden)
    if (comparisons.length === 0) loaded.push(stem)
    rows.push(...comparisons.map(comparison => judge(comparison, getBackend().floatType)))
    for (const name of folder.names.filter(candidate => stemOf(candidate) === stem)) {
      const unused = opened.get(name)?.unused() ?? ['(whole file)']
      unread.push(...unused.map(tensor => `${name}: ${tensor}`))
    }
  }
  const ok = rows.every(row => row.ok) && folder.missing.length === 0
  return { folder: path, backend, rows, loaded, unsupported, unread, missing: folder.missing, ok }
}
