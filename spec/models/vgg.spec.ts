import { beforeAll, describe, expect, it } from 'vitest'
import { createVgg, type VggConfig } from '../../algorithms/models/vgg.ts'
import { tensor, useBackend } from '../../core/index.ts'
import { countParameters } from '../../core/nn/index.ts'
import { normal } from '../../core/random/distributions.ts'
import { key } from '../../core/random/key.ts'
import { standardErrors } from '../support/falseFailures.ts'
import { expectAllNear } from '../support/numbers.ts'
import {
  asTensors,
  batchOfOne,
  conv,
  fullyConnected,
  type Image,
  layerOf,
  maxPool,
  norm,
  randomImage,
  randomValues,
  relu,
  type Values,
} from './plainLayers.ts'

beforeAll(() => useBackend('reference'))

const SMALL = { depth: 11, widths: [2, 3, 2, 3, 2], hidden: 4, classes: 3, inChannels: 1 } satisfies VggConfig
const network = createVgg(SMALL)
const shapes = { ...network.parameterShapes(), ...network.bufferShapes() }

/** `A` of the origin's table of configurations, for images whose last feature map is one pixel. */
const plainLogits = (values: Values, image: Image): number[] => {
  let h = image
  let index = 0
  for (const layer of ['C', 'M', 'C', 'M', 'C', 'C', 'M', 'C', 'C', 'M', 'C', 'C', 'M']) {
    if (layer === 'M') {
      h = maxPool(h, { size: 2, stride: 2, padding: 0 })
      index += 1
    } else {
      h = relu(norm(conv(h, layerOf(values, `features.${index}`), { kernel: 3 }), layerOf(values, `features.${index + 1}`)))
      index += 3
    }
  }
  const pooled = h.flatMap(plane => Array.from({ length: 49 }, () => plane[0]![0]!))
  const rectified = (x: readonly number[]): number[] => x.map(value => Math.max(value, 0))
  const first = rectified(fullyConnected(pooled, layerOf(values, 'classifier.0')))
  return fullyConnected(rectified(fullyConnected(first, layerOf(values, 'classifier.3'))), layerOf(values, 'classifier.6'))
}

describe('createVgg', () => {
  it.each([
    [11, 132_868_840],
    [13, 133_053_736],
    [16, 138_365_992],
    [19, 143_678_248],
  ] as const)('should have the published number of parameters of VGG-%i', (depth, published) => {
    expect(countParameters(createVgg({ depth }).parameterShapes())).toBe(published)
  })

  it('should number its layers as the published state dict does', () => {
    const names = Object.keys(createVgg({ depth: 16 }).parameterShapes())
    const weights = names.filter(name => /^features\.\d+\.weight$/.test(name)).map(name => Number(name.split('.')[1]))
    expect(weights).toEqual([0, 1, 3, 4, 7, 8, 10, 11, 14, 15, 17, 18, 20, 21, 24, 25, 27, 28, 30, 31, 34, 35, 37, 38, 40, 41])
    expect(names.filter(name => name.startsWith('classifier') && name.endsWith('bias'))).toEqual(
      [0, 3, 6].map(index => `classifier.${index}.bias`),
    )
    expect(Object.keys(createVgg({ depth: 16 }).bufferShapes())[0]).toBe('features.1.running_mean')
  })

  it('should compute what the origin computes, by plain loops', () => {
    // Of the seeds tried, one for which the last hidden values are not all zero.
    const values = randomValues(3, shapes)
    const image = randomImage(2, [1, 32, 32])
    const expected = plainLogits(values, image)
    expect(expected).not.toEqual([...values['classifier.6.bias']!])
    expectAllNear(network.apply(asTensors(values, shapes), batchOfOne(image)).logits.dataSync(), expected, 1e-10)
  })

  it('should normalise with the batch and drop in training only, dropping with a key only', () => {
    const params = asTensors(randomValues(3, shapes), shapes)
    const x = tensor(normal(key(5), 2 * 1024), [2, 1, 32, 32])
    const run = (o: Parameters<typeof network.apply>[2]): number[] => Array.from(network.apply(params, x, o).logits.dataSync())
    expect(run({ dropoutKey: key(1) })).toEqual(run({}))
    expect(run({ train: true })).not.toEqual(run({}))
    const dropped = [1, 2, 3, 4].map(seed => run({ train: true, dropoutKey: key(seed) }).join())
    expect(new Set([...dropped, run({ train: true }).join()]).size).toBeGreaterThan(2)
    const { runningStatistics } = network.apply(params, x, { train: true })
    expect(Object.fromEntries(Object.entries(runningStatistics).map(([name, moved]) => [name, moved.shape]))).toEqual(
      network.bufferShapes(),
    )
    expect(network.apply(params, x).runningStatistics).toEqual({})
  })

  it('should initialise as the origin: by outputs of convolutions, deviation 0.01 of linear maps, no biases', () => {
    const params = createVgg({ ...SMALL, widths: [8, 16, 16, 16, 2], hidden: 32 }).init(key(4))
    const deviation = (name: string): number => {
      const values = Array.from(params[name]!.dataSync())
      return Math.sqrt(values.reduce((total, value) => total + value * value, 0) / values.length)
    }
    // The deviation of n normal values has the relative standard error 1 / sqrt(2 n).
    const bound = (values: number) => standardErrors('initialisation of VGG', 2) / Math.sqrt(2 * values)
    expect(Math.abs(deviation('features.4.weight') / Math.sqrt(2 / (16 * 9)) - 1)).toBeLessThan(bound(1152))
    expect(Math.abs(deviation('classifier.0.weight') / 0.01 - 1)).toBeLessThan(bound(3136))
    expect(deviation('features.0.bias') + deviation('classifier.0.bias')).toBe(0)
    expect(new Set(params['features.1.weight']!.dataSync())).toEqual(new Set([1]))
  })

  it('should refuse depths that do not exist, widths that do not match and small images', () => {
    expect(() => createVgg({ depth: 12 as 11 })).toThrow('there is no VGG-12; use 11, 13, 16, 19')
    expect(() => createVgg({ depth: 11, widths: [1] })).toThrow('5 stages but widths [1]')
    expect(() => network.apply(network.init(key(1)), tensor(new Float64Array(256), [1, 1, 16, 16]))).toThrow('sides of at least 32')
  })
})
