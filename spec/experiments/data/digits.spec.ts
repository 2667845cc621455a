import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'fflate'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FileError } from '../../../core/io/fileError.ts'
import { gunzip } from '../../../core/io/gzip.ts'
import { loadDigits, splitDigits } from '../../../experiments/data/digits.ts'

const SHIPPED = new URL('../../../experiments/data/digits8x8.csv.gz', import.meta.url).pathname

let folder: string
let lines: string[]
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'digits-'))
  lines = new TextDecoder()
    .decode(gunzip(readFileSync(SHIPPED), SHIPPED))
    .trimEnd()
    .split('\n')
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const write = (name: string, content: string | Uint8Array): string => {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

/** The shipped rows with the field `field` of line `line` (both from 1) replaced. */
const withField = (line: number, field: number, value: string): string =>
  lines
    .map((row, i) =>
      i === line - 1
        ? row
            .split(',')
            .with(field - 1, value)
            .join(',')
        : row,
    )
    .join('\n')

describe('loadDigits', () => {
  it('should give 1,797 images of 64 pixels in sixteenths of [0, 1] and labels 0 to 9', () => {
    const { images, labels, count, shape } = loadDigits()
    expect([count, images.length, labels.length, shape]).toEqual([1797, 1797 * 64, 1797, [1, 8, 8]])
    expect(images.every(p => p >= 0 && p <= 1 && Number.isInteger(p * 16))).toBe(true)
    expect(Math.max(...images)).toBe(1)
    // Class sizes published with the data set.
    const sizes = Array.from({ length: 10 }, (_, digit) => labels.filter(label => label === digit).length)
    expect(sizes).toEqual([178, 182, 177, 183, 181, 182, 181, 179, 174, 180])
  })

  it('should keep rows and pixels in the order of the file', () => {
    const { images, labels } = loadDigits()
    // The first row that differs, since a listing of all pixels would take minutes.
    const wrong = lines.findIndex((line, i) => {
      const pixels = Array.from(images.subarray(i * 64, (i + 1) * 64), p => p * 16)
      return line !== [...pixels, labels[i]].join(',')
    })
    expect(wrong).toBe(-1)
  })

  it('should read the same from a plain file with either line ending', () => {
    const shipped = loadDigits()
    expect(loadDigits({ path: write('plain.csv', lines.join('\n')) })).toEqual(shipped)
    expect(loadDigits({ path: write('windows.csv', `${lines.join('\r\n')}\r\n`) })).toEqual(shipped)
  })

  it.each<[what: string, content: () => string, message: RegExp]>([
    ['a short record', () => lines.with(4, '1,2,3').join('\n'), /line 5: record has 3 fields, expected 65/],
    ['an empty line', () => lines.with(1, '').join('\n'), /line 2: record has 1 fields, expected 65/],
    ['a pixel of 17', () => withField(7, 3, '17'), /line 7: pixel 3 is "17", expected a whole number 0\.\.16/],
    ['a negative pixel', () => withField(7, 3, '-1'), /pixel 3 is "-1"/],
    ['an empty pixel', () => withField(7, 64, ''), /pixel 64 is ""/],
    ['a pixel of text', () => withField(1, 1, 'nan'), /line 1: pixel 1 is "nan"/],
    ['a label of 10', () => withField(1797, 65, '10'), /line 1797: label is "10", expected a whole number 0\.\.9/],
    ['a missing row', () => lines.slice(1).join('\n'), /file has 1796 records, expected 1797/],
    ['a row too many', () => [...lines, lines[0]].join('\n'), /file has 1798 records, expected 1797/],
    ['an empty file', () => '', /line 1: record has 1 fields/],
  ])('should refuse %s', (_, content, message) => {
    const path = write('bad.csv', content())
    expect(() => loadDigits({ path })).toThrow(message)
    expect(() => loadDigits({ path })).toThrow(FileError)
  })

  it('should refuse a truncated gzip and a missing file', () => {
    const whole = gzipSync(new TextEncoder().encode(lines.join('\n')))
    expect(() => loadDigits({ path: write('cut.csv.gz', whole.subarray(0, 20_000)) })).toThrow(/truncated or damaged/)
    expect(() => loadDigits({ path: write('cut.csv.gz', new Uint8Array(0)) })).toThrow(/not a gzip file/)
    expect(() => loadDigits({ path: join(folder, 'none.csv.gz') })).toThrow(/no such file/)
  })
})

describe('splitDigits', () => {
  it('should put each image into exactly one part, 1,297 and 500', () => {
    for (const split of [splitDigits(), splitDigits(3)]) {
      expect([split.train.length, split.test.length]).toEqual([1297, 500])
      expect([...split.train, ...split.test].sort((a, b) => a - b)).toEqual(Array.from({ length: 1797 }, (_, i) => i))
    }
  })

  it('should be the same split on every machine and in every release', () => {
    const { train, test } = splitDigits()
    const digest = createHash('sha256').update(JSON.stringify([[...train], [...test]]))
    expect(digest.digest('hex').slice(0, 16)).toBe('92ca2726bd793269')
  })

  it('should differ between seeds', () => {
    expect(splitDigits(1).test).not.toEqual(splitDigits(2).test)
  })
})
