import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { conv2d, conv2dInputGrad, conv2dWeightGrad, setWinograd } from '../../../core/backends/cpu/conv2d.ts'
import { setExactArithmetic } from '../../../core/backends/cpu/wasm/link.ts'
import { type ConvCase, count, definition, heap, noise, place, relativeError, shapesOf } from './conv2dDefinition.ts'

type Kernel = 'forward' | 'inputGrad' | 'weightGrad'

const results = (c: ConvCase) => {
  const shapes = shapesOf(c)
  const x = noise(shapes.x, 3)
  const w = noise(shapes.w, 5)
  const dy = noise(shapes.y, 7)
  const bias = noise([c.outChannels], 9)
  const inputs = [place(shapes.x, x), place(shapes.w, w), place(shapes.y, dy), place([c.outChannels], bias)]
  const outputs = [place(shapes.y), place(shapes.x), place(shapes.w)]
  conv2d(heap, [inputs[0], inputs[1], inputs[3]], outputs[0], c)
  conv2dInputGrad(heap, [inputs[2], inputs[1]], outputs[1], { ...c, inputShape: shapes.x })
  conv2dWeightGrad(heap, [inputs[0], inputs[2]], outputs[2], { ...c, weightShape: shapes.w })
  const [forward, inputGrad, weightGrad] = outputs.map(({ pointer, shape }) => heap.f32(pointer, count(shape)).slice())
  for (const { pointer } of [...inputs, ...outputs]) heap.free(pointer)
  const errors = () => ({
    forward: relativeError(forward, definition.forward(c, x, w, bias)),
    inputGrad: relativeError(inputGrad, definition.inputGrad(c, dy, w)),
    weightGrad: relativeError(weightGrad, definition.weightGrad(c, x, dy)),
  })
  return { forward, inputGrad, weightGrad, errors }
}

/** A 3x3 convolution with stride one and padding one. */
const convolution = (batch: number, inChannels: number, outChannels: number, size: readonly [number, number]): ConvCase => ({
  batch,
  inChannels,
  outChannels,
  size,
  kernel: [3, 3],
  stride: [1, 1],
  padding: [1, 1, 1, 1],
  groups: 1,
})

const kernels: readonly Kernel[] = ['forward', 'inputGrad', 'weightGrad']

describe('cpu conv2d by Winograd', () => {
  afterEach(() => {
    setWinograd('auto')
    setExactArithmetic(false)
  })

  it('should be within 1e-5 of the largest value of the float64 definition for any batch, channels and image', () => {
    const side = fc.constantFrom(4, 8, 12)
    const channels = fc.integer({ min: 2, max: 19 })
    const byFour = fc.integer({ min: 2, max: 5 }).map(n => 4 * n)
    const byEight = fc.constantFrom(8, 16)
    const pair = fc.oneof(fc.tuple(channels, channels), fc.tuple(byEight, byFour))
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10 }), pair, fc.tuple(side, side), (batch, [inChannels, outChannels], size) => {
        const errors = results(convolution(batch, inChannels, outChannels, size)).errors()
        for (const kernel of kernels) expect(errors[kernel]).toBeLessThan(1e-5)
      }),
      { numRuns: 20 },
    )
  })

  it('should be within 1e-5 across blocks of tiles, of result channels and of images', () => {
    for (const c of [
      convolution(1, 8, 72, [24, 24]),
      convolution(1, 8, 4, [32, 36]),
      convolution(70, 8, 8, [4, 4]),
      convolution(1, 72, 68, [8, 8]),
    ]) {
      const errors = results(c).errors()
      for (const kernel of kernels) expect(errors[kernel]).toBeLessThan(1e-5)
    }
  })

  it('should give an image the same bits whatever else is in the batch', () => {
    const many = results(convolution(19, 10, 9, [8, 4]))
    const one = results(convolution(1, 10, 9, [8, 4]))
    expect(many.forward.slice(0, one.forward.length)).toEqual(one.forward)
    expect(many.inputGrad.slice(0, one.inputGrad.length)).toEqual(one.inputGrad)
  })

  it.each<[string, () => void]>([
    ['turned off', () => setWinograd('off')],
    ['in exact arithmetic', () => setExactArithmetic(true)],
  ])('should leave the op to the direct path, which rounds less, when %s', (_, leave) => {
    const c = convolution(2, 16, 16, [8, 8])
    const fast = results(c)
    leave()
    const direct = results(c)
    for (const kernel of kernels) {
      expect(fast[kernel]).not.toEqual(direct[kernel])
      expect(direct.errors()[kernel]).toBeLessThan(1e-6)
    }
  })
})
