import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { cacheFolder } from '../../../io/cacheFolder.ts'
import { createFolders } from '../../../io/createFolders.ts'
import { toFileError, writeFileAtomic } from '../../../io/files.ts'
import { foldIn, key } from '../../../random/key.ts'
import { tiledTexts } from '../wgsl/tiledSource.ts'
import { isTuning, type Tuning } from '../wgsl/tuning.ts'

let version: string | undefined

/** Of the kernels that are measured: another one when their text changes, so that what was measured before is no longer used. */
const kernelsVersion = (): string => {
  version ??= foldIn(key(0), tiledTexts())
    .map(word => word.toString(16).padStart(8, '0'))
    .join('')
  return version
}

/** What a measurement holds for. */
export interface TunedAdapter {
  readonly vendor: string
  readonly architecture: string
  readonly device: string
  /** Names the driver too. */
  readonly description: string
}

const keyOf = ({ vendor, architecture, device, description }: TunedAdapter) => ({
  vendor,
  architecture,
  device,
  description,
  kernels: kernelsVersion(),
})

/** Longest name of a file, its ending left out. */
const longestName = 200

/** A file of its own for each adapter, driver and version of the kernels, as far as a file's name can tell them apart. */
export const tuningPath = (adapter: TunedAdapter, folder: string = cacheFolder()): string => {
  const name = Object.values(keyOf(adapter))
    .join('-')
    .toLowerCase()
    .replace(/[^a-z0-9.]+/g, '-')
  return join(folder, 'gpu-tuning', `${name.slice(0, longestName)}.json`)
}

const parse = (text: string, adapter: TunedAdapter): Tuning => {
  const { key: of, tuning } = JSON.parse(text)
  if (JSON.stringify(of) !== JSON.stringify(keyOf(adapter))) throw new Error('it is of another adapter or of other kernels')
  if (!isTuning(tuning)) throw new Error('it does not hold times of tiles')
  return tuning
}

/** What was measured on an adapter. Undefined when nothing was, or when the file is of no use, which `tell` is told in one line. */
export const readTuning = (
  adapter: TunedAdapter,
  tell: (line: string) => void = line => void process.stderr.write(`${line}\n`),
): Tuning | undefined => {
  const path = tuningPath(adapter)
  if (!existsSync(path)) return undefined
  try {
    return parse(readFileSync(path, 'utf8'), adapter)
  } catch (error) {
    const [why] = String((error as Error)?.message ?? error).split('\n')
    tell(`gpu: ${path} is ignored: ${why}; npm run gpu:doctor -- --tiles measures anew`)
    return undefined
  }
}

/** Keeps what was measured; gives the file. @throws FileError */
export const writeTuning = (adapter: TunedAdapter, tuning: Tuning): string => {
  const path = tuningPath(adapter)
  try {
    createFolders(dirname(path))
  } catch (cause) {
    throw toFileError('creating', dirname(path), cause)
  }
  writeFileAtomic(path, `${JSON.stringify({ key: keyOf(adapter), tuning }, null, 2)}\n`)
  return path
}
