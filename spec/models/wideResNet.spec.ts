import { beforeAll, describe, expect, it } from 'vitest'
import { createWideResNet, type WideResNetConfig } from '../../algorithms/models/wideResNet.ts'
import { tensor, useBackend } from '../../core/index.ts'
import { checkParameters, countParameters } from '../../core/nn/index.ts'
import { normal } from '../../core/random/distributions.ts'
import { key } from '../../core/random/key.ts'
import { openGoldenFolder } from '../../experiments/parity/goldenFolder.ts'
import { allTensors } from '../../experiments/parity/tensors.ts'
import { expectAllNear } from '../support/numbers.ts'

beforeAll(() => useBackend('reference'))

const both = ['wrn', 'wide'] as const

const make = (implementation: WideResNetConfig['implementation'], dropout = 0) => {
  const network = createWideResNet({ implementation, depth: 10, widenFactor: 1, dropout })
  return { network, params: network.init(key(1)), x: tensor(normal(key(2), 2 * 3 * 64), [2, 3, 8, 8]) }
}

describe('createWideResNet', () => {
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
