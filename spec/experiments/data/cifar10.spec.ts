import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'fflate'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FileError } from '../../../core/io/fileError.ts'
import { loadCifar10 } from '../../../experiments/data/cifar10.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cifar-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const write = (name: string, bytes: Uint8Array): string => {
  const path = join(folder, name)
  writeFileSync(path, bytes)
  return path
}

/** Record r: label r, pixel p of value (r + p) mod 256. */
const records = (...labels: number[]): Uint8Array =>
  Uint8Array.from(labels.flatMap(label => [label, ...Array.from({ length: 3072 }, (_, p) => (label + p) % 256)]))

describe('loadCifar10', () => {
  it('should read labels and pixels of plain and gzipped files in order', () => {
    const data = loadCifar10([write('a.bin', records(3, 9)), write('b.bin.gz', gzipSync(records(0)))])
    expect([data.count, data.shape, [...data.labels]]).toEqual([3, [3, 32, 32], [3, 9, 0]])
    for (const [i, label] of data.labels.entries()) {
      const expected = Float32Array.from({ length: 3072 }, (_, p) => ((label + p) % 256) / 255)
      expect(data.images.subarray(i * 3072, (i + 1) * 3072)).toEqual(expected)
    }
  })

  it('should read no more images than asked for', () => {
    const path = write('a.bin', records(1, 2, 3))
    const two = loadCifar10([path], { limit: 2 })
    expect([two.count, [...two.labels], two.images.length]).toEqual([2, [1, 2], 2 * 3072])
    expect(() => loadCifar10([path], { limit: 4 })).toThrow(/4 images wanted, 3 there; ask for fewer/)
  })

  it.each<[what: string, bytes: () => Uint8Array, message: RegExp]>([
    ['a record cut short', () => records(1, 2).subarray(0, 6145), /file has 6145 bytes, expected a multiple of 3073/],
    ['an empty file', () => new Uint8Array(0), /file has 0 bytes/],
    ['a label of 10', () => records(1, 10), /record 1 has label 10, expected 0\.\.9/],
    ['a truncated gzip', () => gzipSync(records(1)).subarray(0, 100), /truncated/],
  ])('should refuse %s', (_, bytes, message) => {
    const path = write('bad.bin', bytes())
    expect(() => loadCifar10([path])).toThrow(message)
    expect(() => loadCifar10([path])).toThrow(FileError)
  })
})
