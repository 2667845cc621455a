import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DATASETS, type DatasetName, firstImages } from '../../../experiments/data/datasets.ts'
import { loadDigits, splitDigits } from '../../../experiments/data/digits.ts'
import { imagesAt } from '../../../experiments/data/imagesAt.ts'
import { UsageError } from '../../../experiments/support/errors.ts'
import { cifarPickle } from './cifarPickleFile.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'datasets-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const write = (name: string, bytes: ArrayLike<number>): string => {
  const path = join(folder, name)
  writeFileSync(path, Uint8Array.from(bytes))
  return path
}

const pixels = Array.from({ length: 3072 }, (_, p) => p % 256)
const twice = { shape: [2, 3072], data: [...pixels, ...pixels] }

/** Two images of each kind, the second of class 7. */
const files: Readonly<Partial<Record<DatasetName, () => string[]>>> = {
  cifar10: () => [write('test_batch.bin', [1, ...pixels, 7, ...pixels])],
  'cifar10-python': () => [write('test_batch', cifarPickle('labels', [1, 7], twice))],
  cifar100: () => [write('test.bin', [0, 1, ...pixels, 0, 7, ...pixels])],
  'cifar100-python': () => [write('test', cifarPickle('fine_labels', [1, 7], twice))],
  mnist: () => [
    write('images', [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 10, 20, 30, 40]),
    write('labels', [0, 0, 8, 1, 0, 0, 0, 2, 1, 7]),
  ],
}

describe('DATASETS', () => {
  it.each(Object.keys(files) as (keyof typeof files)[])('should load %s with as many channels as it says', async name => {
    const kind = DATASETS[name]
    const data = await kind.load({ paths: files[name]!() })
    expect([data.count, [...data.labels], data.shape[0], kind.classes]).toEqual([
      2,
      [1, 7],
      kind.channels,
      name.startsWith('cifar100') ? 100 : 10,
    ])
    expect([...(await kind.load({ paths: files[name]!(), limit: 1 })).labels]).toEqual([1])
    await expect(kind.load({ paths: [] })).rejects.toThrow(UsageError)
  })

  it('should load the digits that come with the project', async () => {
    const data = await DATASETS.digits.load({ paths: [], limit: 3 })
    expect([data.count, data.shape, data.images.length, data.labels.length]).toEqual([3, [1, 8, 8], 192, 3])
  })

  it.each(['test', 'train'] as const)('should give the digits of the split in its order: %s', async split => {
    const whole = loadDigits()
    const ids = splitDigits()[split]
    const data = await DATASETS.digits.load({ paths: [], split })
    expect([data.count, [...data.labels]]).toEqual([ids.length, Array.from(ids, id => whole.labels[id])])
    for (const i of [0, 1, ids.length - 1]) {
      expect([...data.images.subarray(i * 64, (i + 1) * 64)]).toEqual([...whole.images.subarray(ids[i]! * 64, (ids[i]! + 1) * 64)])
    }
  })

  it('should take the test digits unless told otherwise', async () => {
    expect(await DATASETS.digits.load({ paths: [] })).toEqual(await DATASETS.digits.load({ paths: [], split: 'test' }))
  })

  it('should want two files for MNIST', async () => {
    await expect(DATASETS.mnist.load({ paths: files.mnist!().slice(1) })).rejects.toThrow(
      'MNIST needs two files; name two files, images and then labels',
    )
  })
})

describe('imagesAt', () => {
  it('should copy what it gives, and refuse a number that has no image', () => {
    const data = { images: Float32Array.of(1, 2, 3, 4), labels: Int32Array.of(5, 6), count: 2, shape: [1, 1, 2] } as const
    const found = imagesAt(data, [1, 0, 1])
    expect(found).toEqual({ ...data, images: Float64Array.of(3, 4, 1, 2, 3, 4), labels: Int32Array.of(6, 5, 6), count: 3 })
    for (const id of [-1, 2, 0.5]) expect(() => imagesAt(data, [id])).toThrow(`imagesAt: there is no image ${id} among 2`)
  })
})

describe('firstImages', () => {
  it('should refuse more images than there are', () => {
    const data = { images: new Float32Array(4), labels: new Int32Array(2), count: 2, shape: [1, 1, 2] } as const
    expect(firstImages(data)).toEqual(data)
    expect(() => firstImages(data, 3)).toThrow('3 images wanted, 2 there; ask for fewer images')
  })
})
