import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FileError } from '../../../core/io/fileError.ts'
import { openJournal, readJournal } from '../../../experiments/support/journal.ts'

let folder: string
let path: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'journal-'))
  path = join(folder, 'journal.jsonl')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const append = (...entries: [string, unknown][]): void => {
  const journal = openJournal(path)
  for (const [key, value] of entries) journal.append(key, value)
  journal.close()
}

describe('journal', () => {
  it('should keep entries over openings, in order', () => {
    append(['a', { x: 1 }], ['b', null])
    append(['c\n"', 'ü\u2028'])
    expect([...readJournal(path)]).toEqual([
      ['a', { x: 1 }],
      ['b', null],
      ['c\n"', 'ü\u2028'],
    ])
    expect(readFileSync(path, 'utf8').split('\n').length).toBe(4)
  })

  it('should have an entry in the file when append returns', () => {
    const journal = openJournal(path)
    journal.append('a', 1)
    expect([...readJournal(path).keys()]).toEqual(['a'])
    journal.close()
  })

  it('should ignore a torn last line wherever it was torn, and go on after it', () => {
    append(['a', 1], ['b', 'ü'])
    const whole = readFileSync(path)
    const lastLine = whole.indexOf('\n') + 1
    for (let size = lastLine; size < whole.length; size++) {
      writeFileSync(path, whole.subarray(0, size))
      expect([...readJournal(path)]).toEqual([['a', 1]])
      append(['c', 3])
      expect([...readJournal(path)]).toEqual([
        ['a', 1],
        ['c', 3],
      ])
    }
  })

  it.each(['', 'text', '[]', 'null', '{"key":1,"value":2}', '{"key":"b"}'])('should refuse the whole line %j, naming it', line => {
    append(['a', 1])
    appendFileSync(path, `${line}\n`)
    expect(() => openJournal(path)).toThrow(`${path} line 2: this is no entry of a run journal; delete the line`)
    expect(() => readJournal(path)).toThrow(FileError)
  })

  it('should refuse to record a unit twice', () => {
    expect(() => append(['a', 1], ['a', 2])).toThrow(/unit "a" is recorded already/)
  })

  it('should refuse a value JSON would change, and write nothing of it', () => {
    append(['a', 1])
    expect(() => append(['b', { loss: Number.NaN }])).toThrow('value of "b".loss is NaN')
    expect([...readJournal(path).keys()]).toEqual(['a'])
  })
})
