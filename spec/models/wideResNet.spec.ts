import { beforeAll, describe, expect, it } from 'vitest'
import type { ClassifierOptions } from '../../algorithms/models/classifierNetwork.ts'
import { createWideResNet, type WideResNetConfig } from '../../algorithms/models/wideResNet.ts'
import { tensor, useBackend } from '../../core/index.ts'
import { checkParameters, countParameters } from '../../core/nn/index.ts'
import { normal } from '../../core/random/distributions.ts'
import { key } from '../../core/random/key.ts'
import { openGoldenFolder } from '../../experiments/parity/goldenFolder.ts'
import { allTensors } from '../../experiments/parity/tensors.ts'
import { expectAllNear, largest } from '../support/numbers.ts'
import {
  asTensors,
  batchOfOne,
  conv,
  fullyConnected,
  type Image,
  layerOf,
  meanOfChannels,
  norm,
  pooledValues,
  randomImage,
  relu,
  sum,
  type Values,
} from './plainLayers.ts'

beforeAll(() => useBackend('reference'))

const both = ['wrn', 'wide'] as const

const make = (implementation: WideResNetConfig['implementation'], dropout = 0) => {
  const network = createWideResNet({ implementation, depth: 10, widenFactor: 1, dropout })
  return { network, params: network.init(key(1)), x: tensor(normal(key(2), 2 * 3 * 64), [2, 3, 8, 8]) }
}

/** The origins' forward pass in evaluation, read off their state dicts. */
const plainLogits = (values: Values, image: Image, implementation: WideResNetConfig['implementation']): number[] => {
  const trades = implementation === 'wrn'
  const at = (name: string) => layerOf(values, name)
  let h = conv(image, at('conv1'), { kernel: 3 })
  for (const stage of [1, 2, 3]) {
    for (const i of [0, 1]) {
      const name = trades ? `block${stage}.layer.${i}` : `layer${stage}.${i}`
      const stride = stage > 1 && i === 0 ? 2 : 1
      const first = relu(norm(h, at(`${name}.bn1`)))
      const middle = conv(first, at(`${name}.conv1`), { kernel: 3, stride: trades ? stride : 1 })
      const second = relu(norm(middle, at(`${name}.bn2`)))
      const residual = conv(second, at(`${name}.conv2`), { kernel: 3, stride: trades ? 1 : stride })
      const shortcut = `${name}.${trades ? 'convShortcut' : 'shortcut.0'}`
      h = sum(residual, values[`${shortcut}.weight`] ? conv(trades ? first : h, at(shortcut), { kernel: 1, stride }) : h)
    }
  }
  return fullyConnected(meanOfChannels(relu(norm(h, at('bn1')))), at(trades ? 'fc' : 'linear'))
}

describe('createWideResNet', () => {
  it.each(both)('should compute what the origin computes, by plain loops: %s', implementation => {
    const network = createWideResNet({ implementation, depth: 16, widenFactor: 1, inChannels: 2, classes: 3 })
    const shapes = { ...network.parameterShapes(), ...network.bufferShapes() }
    const values = pooledValues(3, shapes)
    const image = randomImage(4, [2, 4, 4])
    const expected = plainLogits(values, image, implementation)
    const scale = largest(expected)
    expect(scale).toBeGreaterThan(1e-3)
    const scaled = (logits: ArrayLike<number>): number[] => Array.from(logits, value => value / scale)
    expectAllNear(scaled(network.apply(asTensors(values, shapes), batchOfOne(image)).logits.dataSync()), scaled(expected), 1e-10)
  })

  it('should drop before the second normalisation as "wide", after its relu as "wrn"', () => {
    for (const implementation of both) {
      const { network, params, x } = make(implementation, 0.5)
      // A normalisation that gives ones whatever it sees hides what was dropped before it.
      const blind = Object.fromEntries(
        Object.entries(params).map(([name, value]) => {
          if (!/\.bn2\.(weight|bias)$/.test(name)) return [name, value]
          return [name, value.mul(0).add(name.endsWith('bias') ? 1 : 0)]
        }),
      )
      const logits = (o: ClassifierOptions) => [...network.apply(blind, x, { train: true, ...o }).logits.dataSync()]
      if (implementation === 'wide') expect(logits({ dropoutKey: key(1) })).toEqual(logits({}))
      else expect(logits({ dropoutKey: key(1) })).not.toEqual(logits({}))
    }
  })

  it('should initialise convolutions as each origin: normal by outputs, or uniform with Glorot deviation times sqrt 2', () => {
    const deviation = (implementation: WideResNetConfig['implementation'], name: string): number => {
      const values = make(implementation).params[name]!.dataSync()
      return Math.hypot(...values) / Math.sqrt(values.length)
    }
    // 4,608 values from 16 channels to 32: the standard error of a deviation is 1 %, without sqrt 2 or by inputs it is 1.4 times off.
    const near = (actual: number, expected: number): void => expect(Math.abs(actual / expected - 1)).toBeLessThan(0.1)
    near(deviation('wrn', 'block2.layer.0.conv1.weight'), Math.sqrt(2 / (32 * 9)))
    near(deviation('wide', 'layer2.0.conv1.weight'), Math.SQRT2 * Math.sqrt(2 / ((16 + 32) * 9)))
    expect(Math.hypot(...make('wide').params['layer2.0.conv1.bias']!.dataSync())).toBe(0)
    expect(Math.hypot(...make('wrn').params['fc.bias']!.dataSync())).toBe(0)
  })

  it.each(both)('should return the features that its last linear map sees: %s', implementation => {
    const { network, params, x } = make(implementation)
    const { features, logits } = network.apply(params, x)
    const name = implementation === 'wrn' ? 'fc' : 'linear'
    expect(features.shape).toEqual([2, 64])
    const expected = features.matmul(params[`${name}.weight`]!.permute([1, 0])).add(params[`${name}.bias`]!)
    expectAllNear(logits.dataSync(), expected.dataSync(), 1e-12)
  })

  it('should have the published sizes of WRN-28-10', () => {
    const sizes = both.map(implementation =>
      countParameters(createWideResNet({ implementation, depth: 28, widenFactor: 10 }).parameterShapes()),
    )
    expect(sizes).toEqual([36_479_194, 36_489_290])
  })

  it('should have exactly the names and shapes of published weights', () => {
    const { network } = make('wide')
    const weights = openGoldenFolder(new URL('../golden', import.meta.url).pathname).load('tiny_wide10_1.weights')
    const shapes = { ...network.parameterShapes(), ...network.bufferShapes() }
    expect(() => checkParameters(shapes, allTensors(weights), weights.path)).not.toThrow()
    expect(Object.keys(network.init(key(1))).sort()).toEqual([...weights.tensorNames].sort())
  })

  it.each(both)('should treat images separately in evaluation but not in training (%s)', implementation => {
    const { network, params, x } = make(implementation)
    const first = x.slice([0, 0, 0, 0], [1, 3, 8, 8])
    const logits = (train: boolean, images = x): number[] =>
      Array.from(network.apply(params, images, { train }).logits.dataSync()).slice(0, 10)
    logits(false, first).forEach((value, i) => {
      expect(logits(false)[i]).toBeCloseTo(value, 12)
    })
    expect(Math.abs(logits(true, first)[0]! - logits(true)[0]!)).toBeGreaterThan(1e-6)
  })

  it.each(both)('should return every running statistic in training and none in evaluation (%s)', implementation => {
    const { network, params, x } = make(implementation)
    const { runningStatistics } = network.apply(params, x, { train: true })
    expect(Object.fromEntries(Object.entries(runningStatistics).map(([name, moved]) => [name, moved.shape]))).toEqual(
      network.bufferShapes(),
    )
    expect(network.apply(params, x).runningStatistics).toEqual({})
  })

  it('should move the last normalisation of "wide" with momentum 0.9, all others with 0.1', () => {
    for (const implementation of both) {
      const { network, params, x } = make(implementation)
      const zeroed = { ...params, 'bn1.running_mean': tensor(new Float64Array(64).fill(1000)) }
      const moved = network.apply(zeroed, x, { train: true }).runningStatistics['bn1.running_mean']!.dataSync()[0]!
      expect(Math.round(moved / 100)).toBe(implementation === 'wide' ? 1 : 9)
    }
  })

  it.each(both)('should drop only in training with a key (%s)', implementation => {
    const { network, params, x } = make(implementation, 0.5)
    const run = (o: Parameters<typeof network.apply>[2]): number[] => Array.from(network.apply(params, x, o).logits.dataSync())
    expect(run({ dropoutKey: key(1) })).toEqual(run({}))
    expect(run({ train: true, dropoutKey: key(1) })).not.toEqual(run({ train: true }))
    expect(run({ train: true, dropoutKey: key(1) })).toEqual(run({ train: true, dropoutKey: key(1) }))
  })

  it('should refuse depths that make no whole blocks and images that do not halve twice', () => {
    expect(() => createWideResNet({ implementation: 'wrn', depth: 12, widenFactor: 1 })).toThrow('depth must be 6 n + 4, got 12')
    const { network, params } = make('wrn')
    expect(() => network.apply(params, tensor(new Float64Array(108), [1, 3, 6, 6]))).toThrow('sides divisible by 4, got [1,3,6,6]')
  })
})
