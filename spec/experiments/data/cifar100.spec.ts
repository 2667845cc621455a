import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'fflate'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FileError } from '../../../core/io/fileError.ts'
import { loadCifar100 } from '../../../experiments/data/cifar100.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cifar100-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const write = (name: string, bytes: Uint8Array): string => {
  const path = join(folder, name)
  writeFileSync(path, bytes)
  return path
}

/** Coarse label, fine label, pixel p of value (fine + p) mod 256. */
const records = (...labels: [coarse: number, fine: number][]): Uint8Array =>
  Uint8Array.from(labels.flatMap(([coarse, fine]) => [coarse, fine, ...Array.from({ length: 3072 }, (_, p) => (fine + p) % 256)]))

describe('loadCifar100', () => {
  it('should read fine or coarse labels and the pixels of plain and gzipped files in order', () => {
    const paths = [write('a.bin', records([3, 99], [19, 0])), write('b.bin.gz', gzipSync(records([1, 50])))]
    const data = loadCifar100(paths)
    expect([data.count, data.shape, [...data.labels]]).toEqual([3, [3, 32, 32], [99, 0, 50]])
    expect([...loadCifar100(paths, { labels: 'coarse' }).labels]).toEqual([3, 19, 1])
    for (const [i, fine] of [99, 0, 50].entries()) {
      const expected = Float32Array.from({ length: 3072 }, (_, p) => ((fine + p) % 256) / 255)
      expect(data.images.subarray(i * 3072, (i + 1) * 3072)).toEqual(expected)
    }
    expect([...loadCifar100(paths, { limit: 2 }).labels]).toEqual([99, 0])
  })

  it.each<[what: string, bytes: () => Uint8Array, message: RegExp]>([
    ['records of CIFAR-10', () => new Uint8Array(3073), /file has 3073 bytes, expected a multiple of 3074 \(2 labels and 3072 pixels\)/],
    ['a fine label of 100', () => records([1, 2], [1, 100]), /record 1 has label 100, expected 0\.\.99/],
    ['a coarse label of 20', () => records([20, 2]), /record 0 has label 20, expected 0\.\.19; use the binary version of CIFAR-100/],
  ])('should refuse %s', (_, bytes, message) => {
    const path = write('bad.bin', bytes())
    expect(() => loadCifar100([path])).toThrow(message)
    expect(() => loadCifar100([path])).toThrow(FileError)
  })
})
