import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { gzipSync } from 'fflate'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FileError } from '../../../core/io/fileError.ts'
import { readIdx } from '../../../experiments/data/idx.ts'
import { loadMnist } from '../../../experiments/data/mnist.ts'
import { runs } from '../../support/replay.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mnist-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const write = (name: string, bytes: Uint8Array): string => {
  const path = join(folder, name)
  writeFileSync(path, bytes)
  return path
}

const idx = (shape: readonly number[], values: readonly number[], type = 8): Uint8Array =>
  Uint8Array.from([0, 0, type, shape.length, ...shape.flatMap(n => [n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255]), ...values])

const counting = (n: number): number[] => Array.from({ length: n }, (_, i) => (7 * i) % 256)

describe('readIdx', () => {
  it('should read big-endian sizes and the bytes, plain or gzipped', () => {
    const bytes = idx([2, 300], counting(600))
    for (const path of [write('a', bytes), write('a.gz', gzipSync(bytes))]) {
      const { shape, values } = readIdx(path)
      expect([shape, [...values]]).toEqual([[2, 300], counting(600)])
    }
  })

  it.each<[what: string, bytes: () => Uint8Array, message: RegExp]>([
    ['another kind of file', () => Uint8Array.from([1, 0, 8, 1, 0, 0, 0, 0]), /this is no idx file; use the idx files of MNIST/],
    ['an empty file', () => new Uint8Array(0), /this is no idx file/],
    ['floats', () => idx([1], [0, 0, 0, 0], 0x0d), /its elements are of type 0x0d, only bytes \(0x08\)/],
    ['a header cut short', () => idx([2, 3], []).subarray(0, 9), /truncated: 2 dimensions need 12 bytes, there are 9/],
    ['a byte too few', () => idx([2, 3], counting(5)), /\[2,3\] needs 6 bytes after the header, there are 5/],
    ['a byte too many', () => idx([2, 3], counting(7)), /there are 7/],
    ['sizes beyond any file', () => idx([0xffffffff, 0xffffffff, 0xffffffff], []), /needs \S+ bytes/],
  ])('should refuse %s', (_, bytes, message) => {
    const path = write('bad', bytes())
    expect(() => readIdx(path)).toThrow(message)
    expect(() => readIdx(path)).toThrow(FileError)
  })

  it('should end on any bytes with one line or a load', () => {
    const header = fc.constantFrom([0, 0, 8, 1], [0, 0, 8, 3], [0, 0, 9, 1], [0x1f, 0x8b, 8, 0])
    fc.assert(
      fc.property(header, fc.array(fc.nat(255), { maxLength: 40 }), (first, rest) => {
        try {
          const { shape, values } = readIdx(write('fuzz', Uint8Array.from([...first, ...rest])))
          expect(values.length).toBe(shape.reduce((size, length) => size * length, 1))
        } catch (error) {
          expect(error).toBeInstanceOf(FileError)
        }
      }),
      { numRuns: runs(200) },
    )
  })
})

describe('loadMnist', () => {
  it('should join images and labels', () => {
    const files = { images: write('images', idx([3, 2, 4], counting(24))), labels: write('labels.gz', gzipSync(idx([3], [9, 0, 4]))) }
    const data = loadMnist(files)
    expect([data.count, data.shape, [...data.labels]]).toEqual([3, [1, 2, 4], [9, 0, 4]])
    expect([...data.images]).toEqual(counting(24).map(pixel => Math.fround(pixel / 255)))
    const two = loadMnist(files, { limit: 2 })
    expect([two.count, two.images.length, [...two.labels]]).toEqual([2, 16, [9, 0]])
    expect(() => loadMnist(files, { limit: 4 })).toThrow('4 images wanted, 3 there')
  })

  it('should refuse files that do not belong together, and labels that are no digits', () => {
    const images = write('images', idx([2, 1, 1], [1, 2]))
    expect(() => loadMnist({ images, labels: write('three', idx([3], [1, 2, 3])) })).toThrow('labels must be [2], got [3]')
    expect(() => loadMnist({ images, labels: images })).toThrow('labels must be [2], got [2,1,1]')
    expect(() => loadMnist({ images: write('two', idx([2], [1, 2])), labels: images })).toThrow(
      'images must be [count,height,width], got [2]',
    )
    expect(() => loadMnist({ images, labels: write('ten', idx([2], [1, 10])) })).toThrow('label 1 is 10, expected 0..9')
  })
})
