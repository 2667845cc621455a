import { describe, expect, it } from 'vitest'
import { trainingSources } from '../../../algorithms/randomness/drawName.ts'
import { createDraws } from '../../../algorithms/randomness/draws.ts'
import { type ImageBatch, normalise, randomCrop, randomFlip } from '../../../experiments/data/transforms.ts'
import { ksBound } from '../../support/falseFailures.ts'

const drawsOf = (images: readonly number[], repetition = 0) =>
  createDraws({ seed: 5, images, registered: trainingSources, context: { purpose: 'train', repetition } })

const SHAPE = [2, 3, 4] as const
const SIZE = 24

/** Image i has the values 100 i + 1 .. 100 i + 24, none of them zero. */
const batchOf = (images: readonly number[]): ImageBatch => ({
  values: Float32Array.from(images.flatMap(image => Array.from({ length: SIZE }, (_, p) => 100 * image + p + 1))),
  shape: SHAPE,
})

const imagesIn = ({ values }: ImageBatch): number[][] =>
  Array.from({ length: values.length / SIZE }, (_, i) => [...values.slice(i * SIZE, (i + 1) * SIZE)])

const ids = Array.from({ length: 64 }, (_, i) => i)

/** Value at a place of image i, zero outside. */
const pixel = (image: number, channel: number, row: number, column: number): number =>
  row < 0 || row >= 3 || column < 0 || column >= 4 ? 0 : 100 * image + (channel * 3 + row) * 4 + column + 1

/** The image whose pixel comes from where `from` says. */
const imageFrom = (image: number, from: (row: number, column: number) => readonly [number, number]): number[] =>
  Array.from({ length: SIZE }, (_, p) => pixel(image, Math.floor(p / 12), ...from(Math.floor(p / 4) % 3, p % 4)))

describe('randomFlip', () => {
  it('should mirror about half of the images and leave the others', () => {
    const flipped = imagesIn(randomFlip(batchOf(ids), drawsOf(ids))).map((image, i) => {
      const [plain, mirrored] = [imageFrom(i, (row, column) => [row, column]), imageFrom(i, (row, column) => [row, 3 - column])]
      expect([plain, mirrored]).toContainEqual(image)
      return image[0] === mirrored[0]
    })
    const share = flipped.filter(Boolean).length / flipped.length
    expect(Math.abs(share - 0.5)).toBeLessThan(ksBound('flips of augmentation', flipped.length))
  })
})

describe('randomCrop', () => {
  it('should shift each image by at most the padding, all shifts occurring, and fill with zeros', () => {
    const seen = new Set<string>()
    imagesIn(randomCrop(batchOf(ids), { padding: 1 }, drawsOf(ids))).forEach((image, i) => {
      const shifts = [-1, 0, 1].flatMap(y => [-1, 0, 1].map(x => [y, x] as const))
      const found = shifts.filter(([y, x]) => imageFrom(i, (row, column) => [row + y, column + x]).join() === image.join())
      expect(found).toHaveLength(1)
      seen.add(String(found[0]))
    })
    expect(seen.size).toBe(9)
  })

  it('should leave images as they are without padding', () => {
    expect(randomCrop(batchOf(ids), { padding: 0 }, drawsOf(ids))).toEqual(batchOf(ids))
    expect(() => randomCrop(batchOf(ids), { padding: 0.5 }, drawsOf(ids))).toThrow('padding must be a whole number >= 0, got 0.5')
  })
})

describe('random transforms', () => {
  const transforms = [
    ['randomFlip', randomFlip],
    ['randomCrop', (batch: ImageBatch, draws: ReturnType<typeof drawsOf>) => randomCrop(batch, { padding: 2 }, draws)],
  ] as const

  it.each(transforms)('should depend on image and epoch alone, not on the batch (%s)', (_, transform) => {
    const all = imagesIn(transform(batchOf(ids), drawsOf(ids)))
    const some = [40, 3, 17]
    expect(imagesIn(transform(batchOf(some), drawsOf(some)))).toEqual(some.map(image => all[image]))
    expect(imagesIn(transform(batchOf(ids), drawsOf(ids, 1)))).not.toEqual(all)
  })

  it.each(transforms)('should refuse draws for another number of images and draws that are not for training (%s)', (_, transform) => {
    expect(() => transform(batchOf([1, 2]), drawsOf([1]))).toThrow('2 images but draws for 1')
    expect(() => transform(batchOf([1]), createDraws({ seed: 1, images: [1] }))).toThrow('source "augment" is not registered')
  })
})

describe('normalise', () => {
  it('should subtract the mean and divide by the deviation of each channel', () => {
    const { values, shape } = normalise(batchOf([0, 1]), { mean: [1, 2], std: [0.5, 4] })
    const at = (image: number, channel: number, p: number): number => values[(image * 2 + channel) * 12 + p]!
    expect(shape).toEqual(SHAPE)
    expect([at(0, 0, 0), at(0, 0, 11), at(0, 1, 0), at(1, 0, 2), at(1, 1, 3)]).toEqual([0, 22, 2.75, 204, 28.5])
    expect(() => normalise(batchOf([0]), { mean: [1], std: [1] })).toThrow('2 channels need as many means')
    expect(() => normalise(batchOf([0]), { mean: [0, 0], std: [1, 0] })).toThrow('positive deviations')
  })
})
