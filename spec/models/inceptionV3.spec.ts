import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { createInceptionV3, inceptionFeatures } from '../../algorithms/models/inceptionV3.ts'
import { dispose, liveTensors, tensor, useBackend } from '../../core/index.ts'
import { countParameters, resizeBilinear } from '../../core/nn/index.ts'
import { key } from '../../core/random/key.ts'
import { expectAllNear, expectNear } from '../support/numbers.ts'
import { runs } from '../support/replay.ts'

describe('InceptionV3', () => {
  const network = createInceptionV3()
  beforeAll(() => useBackend('cpu'))

  // torchvision's inception_v3 has 23,834,568 parameters without its auxiliary head, 2,049,000 of them in fc.
  it('should have the published number of parameters, and the names of the published state dict', () => {
    const shapes = network.parameterShapes()
    expect(countParameters(shapes)).toBe(23_834_568 - 2_049_000)
    expect(Object.keys(shapes)).toHaveLength(3 * 94)
    expect(shapes['Conv2d_1a_3x3.conv.weight']).toEqual([32, 3, 3, 3])
    expect(shapes['Mixed_5b.branch5x5_2.conv.weight']).toEqual([64, 48, 5, 5])
    expect(shapes['Mixed_6c.branch7x7dbl_4.conv.weight']).toEqual([160, 160, 7, 1])
    expect(shapes['Mixed_7c.branch3x3dbl_3a.bn.weight']).toEqual([384])
    expect(network.bufferShapes()['Mixed_7a.branch7x7x3_4.bn.running_var']).toEqual([192])
  })

  // PyTorch 1.13 on the same parameters and the first image, layer by layer as pytorch-fid lists them: the largest feature of
  // each branch of the last block, and the norm of all.
  const published = { at: [194, 501, 865, 1349, 1590, 1977], values: [1.492484, 1.184121, 1.229237, 1.001997, 0.701162, 1.290118] }
  const publishedNorm = 12.89777

  it('should give each image its own features, those of the origin, and keep nothing else', async () => {
    const parameters = network.init(key(0))
    const values = Float64Array.from({ length: 2 * 3 * 20 }, (_, i) => ((7 * i) % 23) / 23)
    const both = tensor(values, [2, 3, 4, 5])
    const second = tensor(values.subarray(60), [1, 3, 4, 5])
    const before = liveTensors()
    const [pair, alone] = [network.apply(parameters, both), network.apply(parameters, second)]
    expect(liveTensors() - before).toBe(2)
    expect(pair.shape).toEqual([2, inceptionFeatures])
    const features = await pair.data()
    const first = features.slice(0, inceptionFeatures)
    expectAllNear(
      published.at.map(i => first[i]!),
      published.values,
      1e-5,
    )
    expectNear(Math.hypot(...first), publishedNorm, 1e-4)
    expectAllNear(features.slice(inceptionFeatures), await alone.data(), 1e-3)
    expect(first).not.toEqual(features.slice(inceptionFeatures))
    expect(() => network.apply(parameters, both.reshape([6, 1, 4, 5]))).toThrow('images must be [batch,3,height,width], got [6,1,4,5]')
    dispose([both, second, pair, alone])
    dispose(parameters)
  })
})

describe('bilinear resampling', () => {
  beforeAll(() => useBackend('reference'))

  it('should be between the pixels whose centres are nearest, the border repeated', () => {
    const side = fc.integer({ min: 1, max: 7 })
    return fc.assert(
      fc.asyncProperty(side, side, side, side, async (height, width, newHeight, newWidth) => {
        const pixel = (y: number, x: number): number => Math.sin(3 * y + x)
        const image = Float64Array.from({ length: height * width }, (_, i) => pixel(Math.floor(i / width), i % width))
        const at = (y: number, x: number): number => {
          const [cy, cx] = [Math.min(Math.max(y, 0), height - 1), Math.min(Math.max(x, 0), width - 1)]
          const [top, left] = [Math.floor(cy), Math.floor(cx)]
          const [bottom, right] = [Math.min(top + 1, height - 1), Math.min(left + 1, width - 1)]
          const line = (row: number): number => pixel(row, left) * (1 - cx + left) + pixel(row, right) * (cx - left)
          return line(top) * (1 - cy + top) + line(bottom) * (cy - top)
        }
        const expected = Array.from({ length: newHeight * newWidth }, (_, i) =>
          at(((Math.floor(i / newWidth) + 0.5) * height) / newHeight - 0.5, (((i % newWidth) + 0.5) * width) / newWidth - 0.5),
        )
        const x = tensor(image, [1, 1, height, width])
        const resized = resizeBilinear(x, [newHeight, newWidth])
        expectAllNear(await resized.data(), expected, 1e-12)
        dispose([x, resized])
      }),
      { numRuns: runs(30) },
    )
  })
})
