import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { createFolders } from '../../core/io/createFolders.ts'
import { FileError } from '../../core/io/fileError.ts'
import { readFileBytes, writeFileAtomic } from '../../core/io/files.ts'
import { UserError } from './errors.ts'
import { openJournal } from './journal.ts'
import { type JsonValue, jsonDifferences, toJsonValue } from './json.ts'
import { acquireRunLock } from './runLock.ts'

const OPTIONS = 'options.json'
const JOURNAL = 'journal.jsonl'
const LOCK = 'lock'
/** Differing options that a message names: one of all of them would be cut before its remedy. */
const MOST_SHOWN = 5
/** Names of runs and of files in them: no separators, and no leading dot, so nothing outside the folder is reached. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/

/**
 * The folder of one run, `<root>/<id>/`: its options, a journal of finished units of work, and its results.
 * A run that was stopped, killed or crashed is opened again with the same options and skips what it has.
 */
export interface RunStore {
  readonly id: string
  readonly folder: string
  /** The number of finished units. */
  readonly size: number
  has(key: string): boolean
  /** The value of a finished unit, as JSON gives it back; undefined when it is not finished. */
  get(key: string): JsonValue | undefined
  /**
   * Records a finished unit; it is on the disk when this returns.
   * @throws TypeError when JSON cannot hold the value, Error when the unit is recorded already, FileError
   */
  put(key: string, value: unknown): void
  /** Writes a result file atomically, indented. */
  writeJson(name: string, value: unknown): void
  writeText(name: string, text: string): void
  /** The path of a file in the folder, for those who write it themselves (checkpoints). */
  path(name: string): string
  /** Gives the folder free for other processes. */
  close(): void
}

export interface OpenRunOptions {
  /** The folder of all runs, created when missing. */
  readonly root: string
  /** An existing run is resumed; by default a new one, named by date and time. */
  readonly id?: string
  /** The option that names another run, for messages: `--out` where the id is fixed. */
  readonly elsewhere?: '--id' | '--out'
  /** Everything that decides the results, the code too (`nameOfCode`); what does not (threads, verbosity) stays out. */
  readonly options: object
}

const newId = (): string => `${new Date().toISOString().slice(0, 19).replaceAll(':', '-')}-${randomBytes(2).toString('hex')}`

const checkName = (name: string, what: string): void => {
  if (!NAME.test(name))
    throw new UserError(`${what} ${JSON.stringify(name)} is not a plain name`, 'use letters, digits, ".", "_" and "-" only')
}

const makeFolder = (folder: string): void => {
  try {
    createFolders(folder)
  } catch (cause) {
    throw new UserError(`cannot create the run's folder ${folder} (${(cause as Error).message})`, 'choose another folder with --out', {
      cause,
    })
  }
}

/** Writes the options of a new run; compares them with those of one that exists. */
const settleOptions = (folder: string, options: JsonValue, elsewhere: string): void => {
  const path = join(folder, OPTIONS)
  if (!existsSync(path)) {
    // Only a lock, or what a process killed right here has left, may lie in the folder of a new run.
    const foreign = readdirSync(folder).find(name => name !== LOCK && !name.startsWith('.'))
    if (foreign !== undefined) {
      throw new UserError(`${folder} is not the folder of a run: it has ${foreign} but no ${OPTIONS}`, `choose another ${elsewhere}`)
    }
    writeFileAtomic(path, `${JSON.stringify(options, null, 2)}\n`)
    return
  }
  let before: JsonValue
  try {
    before = JSON.parse(new TextDecoder().decode(readFileBytes(path)))
  } catch (cause) {
    if (cause instanceof FileError) throw cause
    throw new FileError(path, `this is no JSON (${(cause as Error).message})`, `restore it or choose another ${elsewhere}`, { cause })
  }
  const differences = jsonDifferences(before, options)
  if (differences.length > 0) {
    const more = differences.length > MOST_SHOWN ? ` and ${differences.length - MOST_SHOWN} more` : ''
    throw new UserError(
      `options differ from those of ${folder}: ${differences.slice(0, MOST_SHOWN).join(', ')}${more}`,
      `use the same options and code, delete the folder, or choose another ${elsewhere}`,
    )
  }
}

/**
 * Opens a run for work, new or resumed.
 * @throws UserError when the folder cannot be created, is used by another process, or belongs to other options;
 *   FileError when one of its files is damaged or cannot be written
 */
export const openRun = ({ root, id = newId(), options, elsewhere = '--id' }: OpenRunOptions): RunStore => {
  checkName(id, 'run id')
  const folder = join(root, id)
  const json = toJsonValue(options, 'options')
  makeFolder(folder)
  const lock = acquireRunLock(join(folder, LOCK), elsewhere)
  try {
    settleOptions(folder, json, elsewhere)
    const journal = openJournal(join(folder, JOURNAL))
    const path = (name: string): string => {
      checkName(name, 'file name')
      if ([OPTIONS, JOURNAL, LOCK].includes(name)) throw new Error(`run store: ${name} is the store's own file; choose another name`)
      return join(folder, name)
    }
    let open = true
    return {
      id,
      folder,
      get size() {
        return journal.entries.size
      },
      has: key => journal.entries.has(key),
      get: key => journal.entries.get(key),
      put: (key, value) => journal.append(key, value),
      writeJson: (name, value) => writeFileAtomic(path(name), `${JSON.stringify(toJsonValue(value, name), null, 2)}\n`),
      writeText: (name, text) => writeFileAtomic(path(name), text),
      path,
      close() {
        if (!open) return
        open = false
        journal.close()
        lock.release()
      },
    }
  } catch (error) {
    lock.release()
    throw error
  }
}
