import { beforeAll, describe, expect, it } from 'vitest'
import { paddedShortcut } from '../../algorithms/models/resNet/block.ts'
import { createResNet, type ResNetConfig } from '../../algorithms/models/resNet.ts'
import { grad, liveTensors, type Tensor, tensor, useBackend } from '../../core/index.ts'
import { countParameters } from '../../core/nn/index.ts'
import { normal } from '../../core/random/distributions.ts'
import { key } from '../../core/random/key.ts'
import { expectAllNear } from '../support/numbers.ts'
import {
  asTensors,
  batchOfOne,
  conv,
  fullyConnected,
  type Image,
  layerOf,
  maxPool,
  meanOfChannels,
  norm,
  randomImage,
  randomValues,
  relu,
  sum,
  type Values,
} from './plainLayers.ts'

beforeAll(() => useBackend('reference'))

const countOf = (config: ResNetConfig): number => countParameters(createResNet(config).parameterShapes())

/** Small widths that differ from each other, so that no mistaken channel count fits. */
const SMALL = {
  heCifar: { implementation: 'heCifar', depth: 8, widths: [2, 5, 8] },
  heCifarB: { implementation: 'heCifar', depth: 8, widths: [2, 5, 8], shortcut: 'B' },
  cifar: { implementation: 'cifar', depth: 18, widths: [2, 3, 4, 5] },
  bottleneck: { implementation: 'cifar', depth: 50, widths: [1, 2, 1, 2] },
  imagenet: { implementation: 'imagenet', depth: 18, widths: [2, 3, 2, 3], classes: 4 },
} satisfies Record<string, ResNetConfig>
const small = Object.entries(SMALL) as [string, ResNetConfig][]

const sideOf = ({ implementation }: ResNetConfig): number => ({ heCifar: 8, cifar: 8, imagenet: 32 })[implementation]

const make = (config: ResNetConfig) => {
  const network = createResNet(config)
  const side = sideOf(config)
  return { network, params: network.init(key(1)), x: tensor(normal(key(2), 2 * 3 * side * side), [2, 3, side, side]) }
}

/** The origins' forward pass in evaluation, read off the names that a state dict has. */
const plainLogits = (values: Values, image: Image, { implementation }: ResNetConfig): number[] => {
  const has = (name: string): boolean => values[`${name}.weight`] !== undefined
  const stem = implementation === 'imagenet' ? { kernel: 7, stride: 2 } : { kernel: 3 }
  let h = relu(norm(conv(image, layerOf(values, 'conv1'), stem), layerOf(values, 'bn1')))
  if (implementation === 'imagenet') h = maxPool(h, { size: 3, stride: 2, padding: 1 })
  for (let stage = 1; has(`layer${stage}.0.conv1`); stage++) {
    for (let i = 0; has(`layer${stage}.${i}.conv1`); i++) {
      const stride = stage > 1 && i === 0 ? 2 : 1
      const name = `layer${stage}.${i}`
      const part = (x: Image, index: number, o: { kernel: number; stride?: number }): Image =>
        norm(conv(x, layerOf(values, `${name}.conv${index}`), o), layerOf(values, `${name}.bn${index}`))
      const residual = has(`${name}.conv3`)
        ? part(relu(part(relu(part(h, 1, { kernel: 1 })), 2, { kernel: 3, stride })), 3, { kernel: 1 })
        : part(relu(part(h, 1, { kernel: 3, stride })), 2, { kernel: 3 })
      const projection = ['shortcut', 'downsample'].find(p => has(`${name}.${p}.0`))
      h = relu(
        sum(
          residual,
          projection
            ? norm(conv(h, layerOf(values, `${name}.${projection}.0`), { kernel: 1, stride }), layerOf(values, `${name}.${projection}.1`))
            : plainOptionA(h, residual.length, stride),
        ),
      )
    }
  }
  return fullyConnected(meanOfChannels(h), layerOf(values, implementation === 'imagenet' ? 'fc' : 'linear'))
}

const plainOptionA = (h: Image, outputs: number, stride: number): Image => {
  const kept = h.map(plane => plane.filter((_, y) => y % stride === 0).map(row => row.filter((_, x) => x % stride === 0)))
  const zero = kept[0]!.map(row => row.map(() => 0))
  const before = Math.floor((outputs - h.length) / 2)
  return Array.from({ length: outputs }, (_, c) => kept[c - before] ?? zero)
}

describe('createResNet', () => {
  it.each<[ResNetConfig, number]>([
    [{ implementation: 'heCifar', depth: 20 }, 269_722],
    [{ implementation: 'heCifar', depth: 20, shortcut: 'B' }, 272_474],
    [{ implementation: 'heCifar', depth: 32 }, 464_154],
    [{ implementation: 'heCifar', depth: 44 }, 658_586],
    [{ implementation: 'heCifar', depth: 56 }, 853_018],
    [{ implementation: 'cifar', depth: 18 }, 11_173_962],
    [{ implementation: 'cifar', depth: 50 }, 23_520_842],
    [{ implementation: 'imagenet', depth: 18 }, 11_689_512],
    [{ implementation: 'imagenet', depth: 34 }, 21_797_672],
    [{ implementation: 'imagenet', depth: 50 }, 25_557_032],
    [{ implementation: 'imagenet', depth: 101 }, 44_549_160],
  ])('should have the published number of parameters: %o, %i', (config, published) => {
    expect(countOf(config)).toBe(published)
  })

  it('should have the names of the published state dicts in their order', () => {
    const names = (config: ResNetConfig, block: string): string[] =>
      Object.keys(createResNet(config).parameterShapes()).filter(name => name.startsWith(block))
    expect(names({ implementation: 'heCifar', depth: 20 }, '').slice(0, 6)).toEqual([
      'conv1.weight',
      'bn1.weight',
      'bn1.bias',
      'layer1.0.conv1.weight',
      'layer1.0.bn1.weight',
      'layer1.0.bn1.bias',
    ])
    expect(names({ implementation: 'heCifar', depth: 20 }, 'linear')).toEqual(['linear.weight', 'linear.bias'])
    const bottleneck = ['conv1.weight', 'bn1.weight', 'bn1.bias', 'conv2.weight', 'bn2.weight', 'bn2.bias', 'conv3.weight', 'bn3.weight']
    expect(names({ implementation: 'cifar', depth: 50 }, 'layer1.0')).toEqual(
      [...bottleneck, 'bn3.bias', 'shortcut.0.weight', 'shortcut.1.weight', 'shortcut.1.bias'].map(name => `layer1.0.${name}`),
    )
    expect(names({ implementation: 'imagenet', depth: 50 }, 'layer1.0.downsample')).toEqual(
      ['0.weight', '1.weight', '1.bias'].map(name => `layer1.0.downsample.${name}`),
    )
    expect(names({ implementation: 'imagenet', depth: 18 }, 'fc')).toEqual(['fc.weight', 'fc.bias'])
  })

  it.each(small)('should compute what the origin computes, by plain loops (%s)', (_, config) => {
    const network = createResNet(config)
    const shapes = { ...network.parameterShapes(), ...network.bufferShapes() }
    const values = randomValues(3, shapes)
    const image = randomImage(4, [3, sideOf(config), sideOf(config)])
    const expected = plainLogits(values, image, config)
    const largest = Math.max(...expected.map(Math.abs))
    const scaled = (logits: ArrayLike<number>): number[] => Array.from(logits, value => value / largest)
    expectAllNear(scaled(network.apply(asTensors(values, shapes), batchOfOne(image)).logits.dataSync()), scaled(expected), 1e-10)
  })

  it.each(small)('should treat images separately in evaluation but not in training (%s)', (_, config) => {
    const { network, params, x } = make(config)
    const first = x.slice([0, 0, 0, 0], [1, ...x.shape.slice(1)])
    const logits = (images: Tensor, train: boolean): number[] =>
      Array.from(network.apply(params, images, { train }).logits.dataSync()).slice(0, 4)
    expectAllNear(logits(x, false), logits(first, false), 1e-10)
    const second = x.slice([1, 0, 0, 0], [1, ...x.shape.slice(1)])
    const other = tensor([...first.dataSync(), ...second.mul(3).dataSync()], x.shape)
    expect(Math.abs(logits(other, true)[0]! - logits(x, true)[0]!)).toBeGreaterThan(1e-6)
  })

  it.each(small)('should return every running statistic in training and none in evaluation (%s)', (_, config) => {
    const { network, params, x } = make(config)
    const { runningStatistics } = network.apply(params, x, { train: true })
    const shapes = Object.fromEntries(Object.entries(runningStatistics).map(([name, moved]) => [name, moved.shape]))
    expect(shapes).toEqual(network.bufferShapes())
    expect(Object.values(runningStatistics).filter(moved => moved.disposed)).toEqual([])
    expect(runningStatistics['bn1.num_batches_tracked']!.dataSync()[0]).toBe(1)
    const before = liveTensors()
    expect(network.apply(params, x).runningStatistics).toEqual({})
    expect(liveTensors()).toBe(before + 1)
  })

  it('should initialise with the deviations of each origin', () => {
    const deviation = (config: ResNetConfig, name: string): number => {
      const values = Array.from(createResNet(config).init(key(5))[name]!.dataSync())
      return Math.sqrt(values.reduce((total, value) => total + value * value, 0) / values.length)
    }
    // 2,304 to 36,864 values: the standard error of a deviation is below 1.5 %.
    const near = (actual: number, expected: number): void => expect(Math.abs(actual / expected - 1)).toBeLessThan(0.06)
    near(deviation({ implementation: 'heCifar', depth: 20 }, 'layer2.0.conv1.weight'), Math.sqrt(2 / (16 * 9)))
    near(deviation({ implementation: 'heCifar', depth: 8, widths: [8, 8, 64], classes: 64 }, 'linear.weight'), Math.sqrt(2 / 64))
    near(deviation({ implementation: 'imagenet', depth: 18, widths: [16, 32, 8, 8] }, 'layer2.0.conv1.weight'), Math.sqrt(2 / (32 * 9)))
    near(deviation({ implementation: 'cifar', depth: 18, widths: [16, 32, 8, 8] }, 'layer2.0.conv1.weight'), 1 / Math.sqrt(3 * 16 * 9))
  })

  it('should refuse depths, shortcuts and widths that do not exist, and sides that do not halve', () => {
    expect(() => createResNet({ implementation: 'heCifar', depth: 18 })).toThrow('depth of heCifar must be 6 n + 2, got 18')
    expect(() => createResNet({ implementation: 'cifar', depth: 20 })).toThrow('there is no ResNet-20 of cifar; use 18, 34')
    expect(() => createResNet({ implementation: 'cifar', depth: 18, shortcut: 'A' })).toThrow('no shortcuts of option A')
    expect(() => createResNet({ implementation: 'heCifar', depth: 20, widths: [1, 2] })).toThrow('has 3 stages, got widths [1,2]')
    const { network, params } = make(SMALL.heCifar)
    expect(() => network.apply(params, tensor(new Float64Array(108), [1, 3, 6, 6]))).toThrow('sides divisible by 4, got [1,3,6,6]')
  })
})

describe('paddedShortcut', () => {
  it('should give its gradient to the kept pixels alone', () => {
    const x = tensor(normal(key(6), 2 * 16), [1, 2, 4, 4])
    const gradient = grad((input: Tensor) => paddedShortcut(input, { inputs: 2, outputs: 4, stride: 2 }).sum())(x)
    const row = [1, 0, 1, 0]
    const plane = [...row, 0, 0, 0, 0, ...row, 0, 0, 0, 0]
    expect(Array.from(gradient.dataSync())).toEqual([...plane, ...plane])
  })
})
