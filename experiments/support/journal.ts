import { closeSync, existsSync, fsyncSync, ftruncateSync, openSync, writeSync } from 'node:fs'
import { FileError } from '../../core/io/fileError.ts'
import { readFileBytes, toFileError } from '../../core/io/files.ts'
import { type JsonValue, toJsonValue } from './json.ts'

/**
 * An append-only record of finished units of work: one line of JSON each, `{"key": ..., "value": ...}`.
 *
 * A line is on the disk before `append` returns. A process killed while writing leaves a last line without its line end;
 * that unit is as good as not done, and the next opening cuts the line off.
 */
export interface Journal {
  readonly entries: ReadonlyMap<string, JsonValue>
  append(key: string, value: unknown): void
  close(): void
}

const LINE_END = 10

const readEntries = (path: string): { entries: Map<string, JsonValue>; wholeBytes: number } => {
  const bytes = existsSync(path) ? readFileBytes(path) : new Uint8Array(0)
  const wholeBytes = bytes.lastIndexOf(LINE_END) + 1
  const lines = new TextDecoder().decode(bytes.subarray(0, wholeBytes)).split('\n').slice(0, -1)
  return { entries: new Map(lines.map((line, i) => parseLine(line, path, i + 1))), wholeBytes }
}

const parseLine = (line: string, path: string, number: number): [string, JsonValue] => {
  try {
    const { key, value } = JSON.parse(line)
    if (typeof key === 'string' && value !== undefined) return [key, value]
  } catch {
    // Told below: no JSON and JSON of another form are the same damage.
  }
  throw new FileError(`${path} line ${number}`, 'this is no entry of a run journal', 'delete the line, its unit of work is then done again')
}

/** The entries of a journal, of a run in progress too. @throws FileError on a damaged line */
export const readJournal = (path: string): ReadonlyMap<string, JsonValue> => readEntries(path).entries

/** @throws FileError when the file cannot be opened or a line is damaged */
export const openJournal = (path: string): Journal => {
  const { entries, wholeBytes } = readEntries(path)
  let file: number
  try {
    file = openSync(path, 'a')
    ftruncateSync(file, wholeBytes)
  } catch (cause) {
    throw toFileError('writing', path, cause)
  }
  let size = wholeBytes
  return {
    entries,
    append(key, value) {
      if (entries.has(key)) throw new Error(`journal: unit "${key}" is recorded already; ask has(key) before doing it again`)
      const json = toJsonValue(value, `value of "${key}"`)
      const line = new TextEncoder().encode(`${JSON.stringify({ key, value: json })}\n`)
      try {
        for (let done = 0; done < line.length; ) done += writeSync(file, line, done)
        fsyncSync(file)
      } catch (cause) {
        // A part of the line (the disk was full) would run into the next one.
        ftruncateSync(file, size)
        throw toFileError('writing', path, cause)
      }
      size += line.length
      entries.set(key, json)
    },
    close: () => closeSync(file),
  }
}
