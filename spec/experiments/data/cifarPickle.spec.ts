import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FileError } from '../../../core/io/fileError.ts'
import { loadCifarPickle } from '../../../experiments/data/cifarPickle.ts'
import { runs } from '../../support/replay.ts'
import { cifarPickle, type PickledArray } from './cifarPickleFile.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cifar-pickle-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const write = (name: string, bytes: Uint8Array): string => {
  const path = join(folder, name)
  writeFileSync(path, bytes)
  return path
}

/** Pixel p of image i is (17 i + p) mod `modulus`; below 128 the bytes are also UTF-8. */
const pixels = (count: number, modulus = 256): number[] =>
  Array.from({ length: count * 3072 }, (_, at) => (17 * Math.floor(at / 3072) + (at % 3072)) % modulus)

const images = (labels: readonly number[], change: Partial<PickledArray> = {}): Uint8Array =>
  cifarPickle('labels', labels, { shape: [labels.length, 3072], data: pixels(labels.length), ...change })

describe('loadCifarPickle', () => {
  it.each([256, 128])('should read labels and pixels below %i of all files in order', modulus => {
    const paths = [write('a', images([3, 9], { data: pixels(2, modulus) })), write('b', images([0], { data: pixels(1, modulus) }))]
    const data = loadCifarPickle(paths, { labels: 'labels' })
    expect([data.count, data.shape, [...data.labels]]).toEqual([3, [3, 32, 32], [3, 9, 0]])
    const expected = [...pixels(2, modulus), ...pixels(1, modulus)].map(pixel => Math.fround(pixel / 255))
    expect([...data.images]).toEqual(expected)
    expect([...loadCifarPickle(paths, { labels: 'labels', limit: 1 }).labels]).toEqual([3])
  })

  it('should read the labels of CIFAR-100 that are asked for', () => {
    const fine = write('fine', cifarPickle('fine_labels', [99], { shape: [1, 3072], data: pixels(1) }))
    expect([...loadCifarPickle([fine], { labels: 'fine_labels' }).labels]).toEqual([99])
    const coarse = write('coarse', cifarPickle('coarse_labels', [19], { shape: [1, 3072], data: pixels(1) }))
    expect([...loadCifarPickle([coarse], { labels: 'coarse_labels' }).labels]).toEqual([19])
    expect(() => loadCifarPickle([coarse], { labels: 'fine_labels' })).toThrow('the dict has no list "fine_labels"')
  })

  it.each<[what: string, bytes: () => Uint8Array, message: RegExp]>([
    ['a class that is no array', () => images([1], { rebuild: ['os', 'system'] }), /it asks for "os\.system", which is no array/],
    ['an array of floats', () => images([1], { dtype: 'f4' }), /"data": its elements are no bytes/],
    ['an array with columns first', () => images([1], { fortran: true }), /"data": its columns come first/],
    ['fewer bytes than the shape says', () => images([1], { data: pixels(1).slice(1) }), /its shape \[1,3072\] does not fit 3071 bytes/],
    ['images of another size', () => images([1], { shape: [1, 4], data: [1, 2, 3, 4] }), /"data" is \[1,4\], expected \[1,3072\]/],
    ['more labels than images', () => images([1, 2], { shape: [1, 3072], data: pixels(1) }), /"data" is \[1,3072\], expected \[2,3072\]/],
    ['a label of 10', () => images([1, 10]), /label 1 is 10, expected 0\.\.9/],
    ['a truncated file', () => images([1]).subarray(0, 2000), /truncated/],
    ['another kind of file', () => new Uint8Array(100), /does not begin with a protocol number/],
  ])('should refuse %s', (_, bytes, message) => {
    const path = write('bad', bytes())
    expect(() => loadCifarPickle([path], { labels: 'labels' })).toThrow(message)
    expect(() => loadCifarPickle([path], { labels: 'labels' })).toThrow(FileError)
  })

  it('should end on any damaged file with one line or a load', () => {
    const sound = images([1, 2])
    const damage = fc.array(fc.record({ at: fc.nat(sound.length - 1), byte: fc.nat(255) }), { minLength: 1, maxLength: 4 })
    // Most of the file is pixels: half of the changes fall on what is not.
    const near = fc.array(fc.record({ at: fc.nat(300), byte: fc.nat(255) }), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(fc.oneof(damage, near), fc.option(fc.nat(sound.length)), (changes, length) => {
        const bytes = sound.slice(0, length ?? sound.length)
        for (const { at, byte } of changes) if (at < bytes.length) bytes[at] = byte
        try {
          loadCifarPickle([write('fuzz', bytes)], { labels: 'labels' })
        } catch (error) {
          expect(error).toBeInstanceOf(FileError)
        }
      }),
      { numRuns: runs(200) },
    )
  })
})
