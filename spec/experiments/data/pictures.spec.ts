import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { encode } from 'fast-png'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FileError } from '../../../core/io/fileError.ts'
import { DATASETS } from '../../../experiments/data/datasets.ts'
import { decodeImage } from '../../../experiments/data/decodeImage.ts'
import { imageFolder } from '../../../experiments/data/imageFolder.ts'
import { parquetPictures } from '../../../experiments/data/parquetPictures.ts'
import { evenlySpaced, picturesDataset } from '../../../experiments/data/picturesDataset.ts'
import { centreCrop, resizeImage, resizeShorterSide } from '../../../experiments/data/resizeImage.ts'
import type { RgbImage } from '../../../experiments/data/rgbImage.ts'
import { openArchives } from '../../../experiments/data/tar.ts'
import { UsageError } from '../../../experiments/support/errors.ts'
import { runs } from '../../support/replay.ts'
import { parquetFile } from './parquetFile.ts'
import { tarArchive } from './tarArchive.ts'

const bytes = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, 'base64'))

/** Pictures of 8 x 8 pixels written by Pillow 9.4 (JPEG of quality 75) and the pixels that it reads from them. */
const jpegs = {
  'three colours': [
    '/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIsIxwcKDcpLDAxNDQ0Hyc5PTgyPC4zNDL/2wBDAQkJCQwLDBgNDRgyIRwhMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjL/wAARCAAIAAgDASIAAhEBAxEB/8QAFQABAQAAAAAAAAAAAAAAAAAAAAP/xAAeEAACAgICAwAAAAAAAAAAAAABAwQRAAIFEyEyQf/EABUBAQEAAAAAAAAAAAAAAAAAAAQF/8QAHhEAAQMEAwAAAAAAAAAAAAAAAgEDMQAEEvAhUbH/2gAMAwEAAhEDEQA/AJRYyuJ4Bz48MxI7FhIayu9m24ApYBobe30+Bd60SGMYK9JTdzKePEqfcNC6IISQm7HVf//Z',
    'AClgBCxyKyGEakeXd1hglY1pp8iRcahnAzpwLVCSV1Oxg2y0oYaLv7WS0ui3DjQANlaJV2+reIPTiIS/ybm57N67e3lST1UpT3GWjajXnKPrv7btVkM/c2A/nJhyZmtDdbW+rNHsPCxtflOLjGRio49sXW5CmLyMADgtLFZicWCWil+NvZSOyLaQiZ5zBSwAO3JfaI+Oen6hrp+8ybSh8+a8GBwAXmxJVIFqf6KbrLzWvL3R7uLKNysBT0oqdnZa',
  ],
  grey: [
    '/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIsIxwcKDcpLDAxNDQ0Hyc5PTgyPC4zNDL/wAALCAAIAAgBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAAA//EAB0QAAIDAAIDAAAAAAAAAAAAAAEDAgQRBRMhMkH/2gAIAQEAAD8AKrWVxPAOfXpmpXYsJDWZ3slMAYsA4Je30+Buxwkf/9k=',
    'GxsbKCgoLy8vW1tbYmJii4uLuLi4kJCQMDAwTU1NX19fe3t7j4+PtLS03NzcIiIiUlJSb29viYmJjIyMvr6+3t7edXV1Tk5Oa2trpaWlqampv7+/SEhIYmJilZWVZWVlo6OjycnJODg4ZmZmcHBwkZGRZGRkrKysISEhS0tLa2trcXFxoKCgt7e3k5OTGxsbX19fg4ODgYGBp6enuLi45eXlFxcXZGRkcXFxl5eXurq6v7+/4+PjKioqSEhIc3Nz',
  ],
  'four inks': [
    '/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwAIBgYHBgUIBwcHCQkICgwUDQwLCwwZEhMPFB0aHx4dGhwcICQuJyAiLCMcHCg3KSwwMTQ0NB8nOT04MjwuMzQy/8AAFAgACAAIBEMRAE0RAFkRAEsRAP/EABYAAQEBAAAAAAAAAAAAAAAAAAIEB//EACIQAAMAAgEEAgMAAAAAAAAAAAECAwQFEQAGITEHIhIUUf/aAA4EQwBNAFkASwAAPwCPTwjovjLZ2qk2fJxzhym1Ahdqj8Pr/Sqln4HsKfXsDCw46UVvrtXTU68kT/aqoOZZmA4SKqeEc8OOeW8fblOCQO56WyuxNLkZFaWvXWY70pRizOxkpJJPkknzz1v/AF//2Q==',
    'AAjvKgDxTA3Aay+qlU1+tnJ02sY9D/E0GTYLOFPLRkLHeXOmqpR/u7927eZPAC0lC3IAOoDxXoTDlJiij9GI4e1g9zJSJmkzLLoFNrTwZ9C1ouOstQKdwhxg/2ZLFrcxKvIAXvbicgDKkSmrv0GJ9HttCptWPN0qMyURUS7mjUPVokyozHZ796xwDOpZLyAtU2kEZW7Wi3y/spWw38aW9OBxMQ1ORFwsQqECfbP2kLvIwMGp4PqRABtnM1dVSJ48',
  ],
} as const

/** A picture of 7 x 5 pixels, and what Pillow's `resize(size, BILINEAR)` makes of it. */
const coloured = (width: number, height: number): RgbImage => ({
  width,
  height,
  data: Uint8Array.from({ length: 3 * width * height }, (_, i) => {
    const [x, y, c] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width), i % 3]
    return [x * 37 + y * 11, x * x * 5 + y * 60, 255 - x * 30 + y][c]! & 255
  }),
})
const resized = [
  [4, 3, 'GB22UjLBlmmJ0LJbKXtrY5DDp56L4Y1dOtJtdHnFuESNpm5f'],
  [3, 4, 'IxXPckGlwZZlMFuLf4emzrZmPKGNi6Go2mdoSb+OmEupo2hp'],
  [
    10,
    9,
    'AAD/FAPvLgnaSBPEYiSvfDmbllKGsHJxypZb3rRLBBSqGBfJMh3aTCfEZjivgE2bmmaGtIZxzqpb4shLCjUcHjiJOD7bUkjFbFmwhm6coIeHuqdy1Mtc6OlMEFcAJFp8PmDbWGrFcnuwjJCcpqmHwMly2rpc7plMFngBKnt9RIHcXovGeJyxkrGdrMqIxupz4Jtd9CxNHJkCMJx+SqLdZKzHfr2ymKGesl2JzH105m5e+k1OIrsCNr5+UL3darPHhMKynoieuA2J0i1031Fe5G9OKNwDPN9/VrrecE3IilWzpE2fvi6K2E51pXJfXJBPLPADQPN/WrnedBDIjhSzqCmfwkKK3GJ1goZfCqRP',
  ],
  [7, 2, 'CzxRMEHiVVDEemmmn4CIxK1q6apMIbQCRrnka3fGkJCotUqK2ndsrnRO'],
] as const

describe('pictures', () => {
  it.each(Object.entries(jpegs))('should be decoded to the pixels that Pillow sees: JPEG of %s', async (_, [jpeg, pixels]) => {
    const { width, height, data } = await decodeImage(bytes(jpeg), 'a.jpg')
    expect([width, height, [...data]]).toEqual([8, 8, [...bytes(pixels)]])
  })

  it.each([1, 2, 3, 4] as const)('should be decoded with three channels: PNG of %i', async channels => {
    const given = Uint8Array.from({ length: 6 * channels }, (_, i) => 7 * i)
    const { data } = await decodeImage(encode({ width: 3, height: 2, channels, depth: 8, data: given }), 'a.png')
    const expected = Array.from({ length: 18 }, (_, i) => given[Math.floor(i / 3) * channels + (channels < 3 ? 0 : i % 3)]!)
    expect([...data]).toEqual(expected)
  })

  it('should be decoded to the colours of their palette: PNG of indices', async () => {
    // Written by Pillow with five colours and four bits per index; its palette is the chunk from byte 33 to 60.
    const file = bytes(
      'iVBORw0KGgoAAAANSUhEUgAAAAMAAAACBAMAAABvWnspAAAAD1BMVEUA/wDIZDIKFB7/AAAAAP853QAQAAAADklEQVR4nGMwcGBQFgAAAkwApFZf5LAAAAAASUVORK5CYII=',
    )
    const colours = Uint8Array.of(255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 20, 30, 255, 0, 0, 200, 100, 50)
    expect(await decodeImage(file, 'a.png')).toEqual({ width: 3, height: 2, data: colours })
    const without = Buffer.concat([file.subarray(0, 33), file.subarray(60)])
    await expect(decodeImage(without, 'a.png')).rejects.toThrow('its palette is missing')

    for (const alpha of [[], [128]]) {
      const palette = [[1, 2, 3, ...alpha] as [number, number, number], [7, 8, 9, ...alpha] as [number, number, number]]
      const indexed = encode({ width: 2, height: 1, channels: 1, depth: 8, data: Uint8Array.of(1, 0), palette })
      expect([...(await decodeImage(indexed, 'a.png')).data]).toEqual([7, 8, 9, 1, 2, 3])
    }

    const plain = encode({ width: 1, height: 1, channels: 3, depth: 8, data: Uint8Array.of(4, 5, 6) })
    const suggesting = Buffer.concat([plain.subarray(0, 33), file.subarray(33, 60), plain.subarray(33)])
    expect([...(await decodeImage(suggesting, 'a.png')).data]).toEqual([4, 5, 6])
  })

  it('should be refused with its remedy where channels have another number of bits', async () => {
    const deep = encode({ width: 1, height: 1, channels: 1, depth: 16, data: Uint16Array.of(500) })
    await expect(decodeImage(deep, 'a.png')).rejects.toThrow(
      /^a\.png: it has 16 bits per channel, where 8 are read; convert it to 8 bits per channel$/,
    )
  })

  it('should be refused when they are none, in one line', async () => {
    for (const content of [new Uint8Array(0), bytes(jpegs.grey[0]).subarray(0, 40), Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10, 0)])
      await expect(decodeImage(content, 'x.jpg')).rejects.toThrow(
        /^x\.jpg: it is no JPEG or PNG picture that can be read [^\n]*; fetch it again$/,
      )
  })

  it.each(resized)('should be resized to %i x %i as by Pillow', (width, height, expected) => {
    expect([...resizeImage(coloured(7, 5), { width, height }).data]).toEqual([...bytes(expected)])
  })

  it('should stay of one colour however they are resized, and themselves at their own size', () => {
    const side = fc.integer({ min: 1, max: 12 })
    fc.assert(
      fc.property(side, side, side, side, fc.nat(255), (w, h, width, height, level) => {
        const flat = { width: w, height: h, data: new Uint8Array(3 * w * h).fill(level) }
        expect(new Set(resizeImage(flat, { width, height }).data)).toEqual(new Set([level]))
        expect(resizeImage(coloured(w, h), { width: w, height: h }).data).toEqual(coloured(w, h).data)
      }),
      { numRuns: runs(50) },
    )
  })

  it('should keep their proportions, rounded down, when the shorter side is given', () => {
    const size = ({ width, height }: RgbImage) => [width, height]
    expect(size(resizeShorterSide(coloured(7, 5), 3))).toEqual([4, 3])
    expect(size(resizeShorterSide(coloured(5, 9), 4))).toEqual([4, 7])
  })

  // torchvision cuts at round((length - side) / 2), halves to even: 0.5 -> 0, 1.5 -> 2.
  it('should be cut in the middle as by torchvision', () => {
    const cut = centreCrop(coloured(8, 7), 5)
    const image = coloured(8, 7)
    const at = (x: number, y: number) => [...image.data.subarray(3 * (y * 8 + x), 3 * (y * 8 + x) + 3)]
    expect([[...cut.data.subarray(0, 3)], [...cut.data.subarray(72)]]).toEqual([at(2, 1), at(6, 5)])
    expect(() => centreCrop(image, 8)).toThrow('centreCrop: a square of 8 pixels is not in an image of 8 x 7')
  })

  it('should be taken evenly from a list', () => {
    expect(evenlySpaced([0, 1, 2, 3, 4, 5, 6], 3)).toEqual([0, 2, 4])
    expect(evenlySpaced([0, 1])).toEqual([0, 1])
    expect(() => evenlySpaced([0, 1], 3)).toThrow(UsageError)
  })

  it('should be refused when they come in different sizes', async () => {
    const picture = (side: number) => ({
      name: `${side}.png`,
      label: 0,
      read: () => encode({ width: side, height: side, channels: 3, depth: 8, data: new Uint8Array(3 * side * side) }),
    })
    await expect(picturesDataset([picture(3), picture(4)])).rejects.toThrow(
      '4.png has 4 x 4 pixels, the pictures before it 3 x 3; bring them to one size with --resize and --crop',
    )
    expect((await picturesDataset([picture(3), picture(4)], { resize: 2, crop: 1 })).shape).toEqual([3, 1, 1])
  })
})

describe('data sets of pictures', () => {
  let root: string
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'pictures-'))
  })
  afterAll(() => rmSync(root, { recursive: true, force: true }))

  const png = (level: number): Uint8Array => encode({ width: 2, height: 2, channels: 3, depth: 8, data: new Uint8Array(12).fill(level) })
  const write = (path: string, content: Uint8Array | string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), content)
  }
  const classes = ['n01', 'n02', 'n10']

  it('should have classes in the order of their names and pictures in theirs (ImageNet)', () => {
    for (const name of classes) for (const i of [2, 1]) write(`imagenet/val/${name}/${i}.JPEG`, png(i))
    const list = imageFolder(join(root, 'imagenet'), { split: 'test', classes: 3 })
    expect(list.map(({ name, label }) => [label, name.slice(-10)])).toEqual(
      classes.flatMap((name, label) => [1, 2].map(i => [label, `${name}/${i}.JPEG`])),
    )
    expect(() => imageFolder(join(root, 'imagenet'), { split: 'test', classes: 1000 })).toThrow('it has 3 class folders, expected 1000')
    expect(() => imageFolder(join(root, 'imagenet'), { split: 'train', classes: 3 })).toThrow(FileError)
  })

  it('should know the classes of a test set from its table (Tiny-ImageNet)', () => {
    for (const name of classes) write(`tiny/train/${name}/images/a.JPEG`, png(1))
    write('tiny/val/val_annotations.txt', 'val_0.JPEG\tn10\t0\t0\t1\t1\nval_1.JPEG\tn01\t0\t0\t1\t1\n')
    const list = imageFolder(join(root, 'tiny'), { split: 'test', classes: 3 })
    expect(list.map(({ name, label }) => [name.slice(root.length), label])).toEqual([
      ['/tiny/val/val_0.JPEG', 2],
      ['/tiny/val/val_1.JPEG', 0],
    ])
    expect(imageFolder(join(root, 'tiny'), { split: 'train', classes: 3 }).map(({ label }) => label)).toEqual([0, 1, 2])
    for (const line of ['val_0.JPEG\tn99', '../../secret\tn01', 'nothing']) {
      write('tiny/val/val_annotations.txt', `${line}\n`)
      expect(() => imageFolder(join(root, 'tiny'), { split: 'test', classes: 3 })).toThrow('line 1: ')
    }
  })

  it('should load Tiny-ImageNet and ImageNet by their names', async () => {
    for (let c = 0; c < 200; c++) write(`tiny200/train/c${String(c).padStart(3, '0')}/images/a.JPEG`, c % 100 === 7 ? png(c) : png(0))
    const data = await DATASETS['tiny-imagenet'].load({ paths: [join(root, 'tiny200')], split: 'train', limit: 100 })
    expect([data.count, data.shape, data.labels[3], data.labels[53]]).toEqual([100, [3, 2, 2], 6, 106])
    await expect(DATASETS.imagenet.load({ paths: [join(root, 'tiny200')] })).rejects.toThrow('200 class folders, expected 1000')
    await expect(DATASETS.imagenet.load({ paths: ['a', 'b'] })).rejects.toThrow('2 folders were given')
    await expect(DATASETS.digits.load({ paths: [], crop: 4 })).rejects.toThrow('--resize and --crop are for data kept as pictures')
  })

  it('should be read from parquet files (CIFAR)', async () => {
    write('a.parquet', parquetFile({ pictures: [png(10), png(20)], labels: [7, 1] }))
    const data = await DATASETS['cifar10-parquet'].load({ paths: [join(root, 'a.parquet'), join(root, 'a.parquet')], limit: 3 })
    expect([[...data.labels], [data.images[0], data.images[12]]]).toEqual([[7, 1, 7], [10, 20].map(level => Math.fround(level / 255))])
    const format = { labels: ['label'], classes: 5 }
    await expect(parquetPictures(join(root, 'a.parquet'), format)).rejects.toThrow('row 0 has the label 7, expected 0..4')
    await expect(parquetPictures(join(root, 'a.parquet'), { labels: ['fine'], classes: 5 })).rejects.toThrow('it has the columns ')
    write('b.parquet', 'PAR1 is not enough PAR1')
    await expect(parquetPictures(join(root, 'b.parquet'), format)).rejects.toThrow(/^[^\n]*it is no parquet file that can be read[^\n]*$/)
  })

  it('should be taken from the official archives (CIFAR), test set or training set', async () => {
    const record = (label: number) => Uint8Array.from({ length: 3073 }, (_, i) => (i === 0 ? label : i % 256))
    const members = [1, 2, 3, 4, 5].map(i => ({ name: `cifar-10-batches-bin/data_batch_${i}.bin`, bytes: record(i) }))
    write('c.tar', tarArchive([...members, { name: 'cifar-10-batches-bin/test_batch.bin', bytes: record(9) }]))
    const paths = [join(root, 'c.tar')]
    expect([...(await DATASETS.cifar10.load({ paths })).labels]).toEqual([9])
    expect([...(await DATASETS.cifar10.load({ paths, split: 'train' })).labels]).toEqual([1, 2, 3, 4, 5])
    await expect(DATASETS['cifar10-python'].load({ paths })).rejects.toThrow('tar archive has no file "cifar-10-batches-py/test_batch"')
    write('d.tar', new Uint8Array(1024))
    expect(() => openArchives([join(root, 'd.tar')], ['a'])).toThrow('it is no tar archive')
  })
})
