import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { conv2d, conv2dInputGrad, conv2dWeightGrad, setWinograd } from '../../../core/backends/cpu/conv2d.ts'
import { runs } from '../../support/replay.ts'
import { type ConvCase, count, definition, heap, noise, place, relativeError, shapesOf } from './conv2dDefinition.ts'

/** The largest error of the three kernels' results against the definition, relative to the largest sum of absolute products. */
const errorsOf = (c: ConvCase) => {
  const shapes = shapesOf(c)
  const x = noise(shapes.x, 3)
  const w = noise(shapes.w, 5)
  const dy = noise(shapes.y, 7)
  const bias = noise([c.outChannels], 9)
  const placed = { x: place(shapes.x, x), w: place(shapes.w, w), dy: place(shapes.y, dy), bias: place([c.outChannels], bias) }
  const y = place(shapes.y)
  const plain = place(shapes.y)
  const dx = place(shapes.x)
  const dw = place(shapes.w)
  expect(conv2d(heap, [placed.x, placed.w, placed.bias], y, c)).toBe(true)
  expect(conv2d(heap, [placed.x, placed.w], plain, c)).toBe(true)
  expect(conv2dInputGrad(heap, [placed.dy, placed.w], dx, { ...c, inputShape: shapes.x })).toBe(true)
  expect(conv2dWeightGrad(heap, [placed.x, placed.dy], dw, { ...c, weightShape: shapes.w })).toBe(true)
  const read = (array: { pointer: number; shape: readonly number[] }) => heap.f32(array.pointer, count(array.shape)).slice()
  const [absX, absW, absDy, absBias] = [x, w, dy, bias].map(values => values.map(Math.abs))
  const errors = [
    relativeError(read(y), definition.forward(c, x, w, bias), definition.forward(c, absX, absW, absBias)),
    relativeError(read(plain), definition.forward(c, x, w), definition.forward(c, absX, absW)),
    relativeError(read(dx), definition.inputGrad(c, dy, w), definition.inputGrad(c, absDy, absW)),
    relativeError(read(dw), definition.weightGrad(c, x, dy), definition.weightGrad(c, absX, absDy)),
  ]
  for (const { pointer } of [...Object.values(placed), y, plain, dx, dw]) heap.free(pointer)
  return Math.max(...errors)
}

const small = (max: number, min = 1) => fc.integer({ min, max })

/** Any convolution whose kernel fits the padded image. */
const arbitraryCase: fc.Arbitrary<ConvCase> = fc
  .record({
    batch: small(5),
    groups: small(3),
    inPerGroup: small(5),
    outPerGroup: small(6),
    size: fc.tuple(small(9), small(9)),
    kernel: fc.tuple(small(4), small(4)),
    stride: fc.tuple(small(3), small(3)),
    padding: fc.tuple(small(2, 0), small(2, 0), small(2, 0), small(2, 0)),
  })
  .map(({ inPerGroup, outPerGroup, ...c }) => ({ ...c, inChannels: c.groups * inPerGroup, outChannels: c.groups * outPerGroup }))
  .filter(c => c.size[0] + c.padding[0] + c.padding[1] >= c.kernel[0] && c.size[1] + c.padding[2] + c.padding[3] >= c.kernel[1])

const base: ConvCase = {
  batch: 2,
  inChannels: 3,
  outChannels: 5,
  size: [8, 8],
  kernel: [3, 3],
  stride: [1, 1],
  padding: [1, 1, 1, 1],
  groups: 1,
}

describe('cpu conv2d, directly', () => {
  beforeAll(() => setWinograd('off'))
  afterAll(() => setWinograd('auto'))

  it('should equal the float64 definition, forward and both gradients, for any geometry', () => {
    fc.assert(
      fc.property(arbitraryCase, c => {
        expect(errorsOf(c)).toBeLessThan(1e-6)
      }),
      { numRuns: runs(100) },
    )
  })

  it.each<[string, Partial<ConvCase>]>([
    ['an asymmetric padding with stride two', { stride: [2, 2], padding: [0, 1, 0, 1], batch: 9 }],
    ['a 1x1 kernel', { kernel: [1, 1], padding: [0, 0, 0, 0], inChannels: 12, batch: 7 }],
    ['a 1x1 kernel on small images, several of which make a block', { kernel: [1, 1], padding: [0, 0, 0, 0], size: [7, 9], batch: 7 }],
    ['a 1x1 kernel with stride two, whose gradient has pixels no tap reaches', { kernel: [1, 1], padding: [0, 0, 0, 0], stride: [2, 2] }],
    [
      'a 1x1 kernel on an odd number of pixels and more channels than a block',
      { kernel: [1, 1], padding: [0, 0, 0, 0], size: [9, 9], inChannels: 300 },
    ],
    ['a 1x1 kernel with a border above', { kernel: [1, 1], padding: [1, 0, 0, 0] }],
    ['a 1x1 kernel with a border beside', { kernel: [1, 1], padding: [0, 0, 0, 1] }],
    ['1x1 images', { size: [1, 1], batch: 11 }],
    ['more taps than a block', { inChannels: 70, size: [4, 4], outChannels: 6 }],
    ['more pixels than a block', { size: [20, 24], batch: 1 }],
    ['one channel per group', { inChannels: 6, outChannels: 6, groups: 6 }],
  ])('should equal the float64 definition for %s', (_, change) => {
    expect(errorsOf({ ...base, ...change })).toBeLessThan(1e-6)
  })

  it.each<[string, Partial<ConvCase>]>([
    ['an empty batch', { batch: 0 }],
    ['a negative padding', { padding: [-1, 1, 1, 1] }],
  ])('should decline %s', (_, change) => {
    const c = { ...base, ...change }
    const { x, w, y } = shapesOf(c)
    expect(conv2d(heap, [place(x), place(w)], place(y), c)).toBe(false)
    expect(conv2dInputGrad(heap, [place(y), place(w)], place(x), { ...c, inputShape: x })).toBe(false)
    expect(conv2dWeightGrad(heap, [place(x), place(y)], place(w), { ...c, weightShape: w })).toBe(false)
  })
})

describe('cpu conv2d, whose plans are remembered by size', () => {
  afterAll(() => setWinograd('auto'))

  const paddings: readonly ConvCase['padding'][] = [
    [1, 1, 1, 1],
    [0, 2, 1, 1],
    [2, 0, 1, 1],
    [1, 1, 0, 2],
    [1, 1, 2, 0],
  ]
  it.each(['off', 'F4', 'F2'] as const)('should tell paddings apart that give results of one size (Winograd %s)', mode => {
    setWinograd(mode)
    for (const padding of paddings) expect(errorsOf({ ...base, padding })).toBeLessThan(1e-5)
  })
})
