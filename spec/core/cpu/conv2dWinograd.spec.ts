import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { conv2d, conv2dInputGrad, conv2dWeightGrad, setWinograd } from '../../../core/backends/cpu/conv2d.ts'
import { createHeap } from '../../../core/backends/cpu/heap.ts'
import { setExactArithmetic } from '../../../core/backends/cpu/wasm/link.ts'
import { runs } from '../../support/replay.ts'
import { bitsOf, type ConvCase, count, definition, noise, relativeError, results, shapesOf } from './conv2dDefinition.ts'

/** A 3x3 convolution with padding one. */
const convolution = (batch: number, inChannels: number, outChannels: number, size: readonly [number, number], stride = 1): ConvCase => ({
  batch,
  inChannels,
  outChannels,
  size,
  kernel: [3, 3],
  stride: [stride, stride],
  padding: [1, 1, 1, 1],
  groups: 1,
})

/** The largest of the three kernels' errors, each relative to the largest value of the float64 definition. */
const errorOf = (c: ConvCase): number => {
  const shapes = shapesOf(c)
  const [x, w, dy, bias] = [noise(shapes.x, 3), noise(shapes.w, 5), noise(shapes.y, 7), noise([c.outChannels], 9)]
  const { forward, inputGrad, weightGrad } = results(c)
  return Math.max(
    relativeError(forward, definition.forward(c, x, w, bias)),
    relativeError(inputGrad, definition.inputGrad(c, dy, w)),
    relativeError(weightGrad, definition.weightGrad(c, x, dy)),
  )
}

const small = (max: number, min = 1) => fc.integer({ min, max })
const pad = small(2, 0)

/** Any size, from 1x1 on, any channels and paddings that a 3x3 kernel takes. */
const arbitraryConvolution = (stride: number): fc.Arbitrary<ConvCase> =>
  fc
    .record({
      batch: fc.constantFrom(1, 1, 2, 7),
      channels: fc.tuple(small(19), small(13)),
      size: fc.tuple(small(14), small(14)),
      padding: fc.tuple(pad, pad, pad, pad),
    })
    .map(({ batch, channels: [inChannels, outChannels], size, padding }) => ({
      ...convolution(batch, inChannels, outChannels, size, stride),
      padding,
    }))
    .filter(({ size: [h, w], padding: [top, bottom, left, right] }) => h + top + bottom >= 3 && w + left + right >= 3)

/** Stated bounds of the error relative to the largest value; the direct sum is held to 1e-6 by its own spec. */
const bounds = { F4: 1e-5, F2: 2e-6, strided: 1e-6 } as const

describe('cpu conv2d by Winograd', () => {
  afterEach(() => {
    setWinograd('auto')
    setExactArithmetic(false)
  })

  it.each(['F4', 'F2'] as const)('should be within its bound of the float64 definition as %s for any size, channels and padding', mode => {
    setWinograd(mode)
    fc.assert(
      fc.property(arbitraryConvolution(1), c => {
        expect(errorOf(c)).toBeLessThan(bounds[mode])
      }),
      { numRuns: runs(25) },
    )
  })

  it.each(['F4', 'F2'] as const)('should be within its bound as %s across blocks of tiles, of channels and of images', mode => {
    setWinograd(mode)
    for (const c of [
      convolution(1, 3, 68, [21, 24]),
      convolution(9, 3, 4, [17, 14]),
      convolution(70, 9, 3, [5, 4]),
      convolution(1, 200, 36, [4, 4]),
      convolution(1, 36, 200, [8, 4]),
      convolution(9, 256, 2, [16, 16]),
    ])
      expect(errorOf(c)).toBeLessThan(bounds[mode])
  })

  it('should be within the bound of the direct sum with stride two for any size, channels and padding', () => {
    setWinograd('F2')
    fc.assert(
      fc.property(arbitraryConvolution(2), c => {
        expect(errorOf(c)).toBeLessThan(bounds.strided)
      }),
      { numRuns: runs(40) },
    )
  })

  it('should be within the bound of the direct sum with stride two across blocks of tiles, of channels and of images', () => {
    setWinograd('F2')
    for (const c of [
      convolution(1, 3, 68, [34, 24], 2),
      convolution(9, 3, 4, [26, 22], 2),
      convolution(70, 9, 3, [8, 4], 2),
      convolution(1, 200, 36, [8, 8], 2),
    ])
      expect(errorOf(c)).toBeLessThan(bounds.strided)
  })

  it('should round less as F2 than as F4', () => {
    const c = convolution(1, 64, 4, [12, 12])
    setWinograd('F4')
    const coarse = errorOf(c)
    setWinograd('F2')
    expect(errorOf(c)).toBeLessThan(coarse / 2)
  })

  it.each([
    ['of 8x8 pixels, F4', [8, 8], 'F4'],
    ['of 4x4 pixels, F2', [4, 4], 'F2'],
    ['of 3x3 pixels, the direct sum', [3, 3], 'off'],
    ['of 8x8 pixels with stride two, tiles', [8, 8], 'F2', 2],
    ['of 6x6 pixels with stride two, the direct sum', [6, 6], 'off', 2],
    ['of 10x10 pixels with stride two, the direct sum', [10, 10], 'off', 2],
  ] as const)('should take for images %s', (_, size, mode, stride: number = 1) => {
    const c = convolution(2, 8, 8, size, stride)
    const chosen = bitsOf(c)
    setWinograd(mode)
    expect(bitsOf(c)).toBe(chosen)
  })

  it('should give an image the same bits whatever else is in the batch', () => {
    for (const [height, width, stride] of [
      [8, 4, 1],
      [4, 4, 1],
      [9, 13, 1],
      [14, 16, 2],
    ] as const) {
      const many = results(convolution(37, 10, 9, [height, width], stride))
      const one = results(convolution(1, 10, 9, [height, width], stride))
      expect(many.forward.slice(0, one.forward.length)).toEqual(one.forward)
      expect(many.inputGrad.slice(0, one.inputGrad.length)).toEqual(one.inputGrad)
    }
  })

  it('should compute from arrays at any address', () => {
    for (const mode of ['F4', 'F2', 'off'] as const) {
      setWinograd(mode)
      for (const c of [convolution(1, 6, 5, [7, 9]), convolution(1, 6, 5, [8, 10], 2)]) expect(bitsOf(c, { shift: 4 })).toBe(bitsOf(c))
    }
  })

  it('should read nothing beyond the slack that the heap leaves behind an array, at the end of the memory', () => {
    const slack = 64
    const dtype = 'float32' as const
    for (const [mode, stride] of [
      ['F4', 1],
      ['F2', 1],
      ['F2', 2],
      ['off', 1],
    ] as const) {
      setWinograd(mode)
      const c = convolution(1, 3, 3, stride === 1 ? [9, 512] : [18, 1024], stride)
      const shapes = shapesOf(c)
      const end = createHeap({ maximumPages: 1024 })
      const [x, w, y] = [shapes.x, shapes.w, shapes.y].map(shape => ({ pointer: end.allocate(4 * count(shape)), shape, dtype }))
      end.f32(w.pointer, count(w.shape)).fill(1)
      end.scratch(2 ** 23)
      const last = (shape: readonly number[]) => ({ pointer: end.view.u8.length - slack - 4 * count(shape), shape, dtype })
      expect(conv2d(end, [last(shapes.x), w], y, c)).toBe(true)
      expect(conv2dInputGrad(end, [last(shapes.y), w], x, { ...c, inputShape: shapes.x })).toBe(true)
      expect(conv2dWeightGrad(end, [last(shapes.x), y], w, { ...c, weightShape: shapes.w })).toBe(true)
      expect(conv2dWeightGrad(end, [x, last(shapes.y)], w, { ...c, weightShape: shapes.w })).toBe(true)
    }
  })

  it.each<[string, () => void]>([
    ['turned off', () => setWinograd('off')],
    ['in exact arithmetic', () => setExactArithmetic(true)],
  ])('should leave the op to the direct path, which rounds less, when %s', (_, leave) => {
    const c = convolution(2, 16, 16, [8, 8])
    const fast = results(c)
    leave()
    const direct = results(c)
    for (const kernel of ['forward', 'inputGrad', 'weightGrad'] as const) expect(fast[kernel]).not.toEqual(direct[kernel])
    expect(errorOf(c)).toBeLessThan(1e-6)
  })
})
