import { beforeAll, describe, expect, it } from 'vitest'
import { type Tensor, tensor, useBackend, vjp } from '../../../core/index.ts'
import {
  attention,
  avgPool2d,
  conv2dLayer,
  crossEntropy,
  groupNormLayer,
  linear,
  meanCrossEntropy,
  oneHot,
  type Scope,
  scope,
  timestepEmbedding,
  upsampleNearest2x,
} from '../../../core/nn/index.ts'
import { normal } from '../../../core/random/distributions.ts'
import { key } from '../../../core/random/key.ts'
import { expectAllNear } from '../../support/numbers.ts'

beforeAll(() => useBackend('reference'))

const near = (actual: ArrayLike<number>, expected: readonly number[], relative = 1e-12): void => expectAllNear(actual, expected, relative)

let seed = 0
const random = (...shape: number[]): Tensor =>
  tensor(
    normal(
      key(seed++),
      shape.reduce((a, b) => a * b, 1),
    ),
    shape,
  )

describe('scope', () => {
  let weight: Tensor
  let parameters: Scope
  beforeAll(() => {
    weight = tensor([1])
    parameters = scope({ 'a.0.weight': weight })
  })

  it('should look tensors up by joined paths', () => {
    expect(parameters.at('a').at('0').get('weight')).toBe(weight)
    expect(parameters.at('a.0').find('bias')).toBeUndefined()
    expect(scope({ weight }).get('weight')).toBe(weight)
  })

  it('should name the missing key in full, also when it is a name every object has', () => {
    expect(() => parameters.at('a.0').get('bias')).toThrow('parameters: "a.0.bias" is missing')
    expect(() => parameters.get('constructor')).toThrow('"constructor" is missing')
  })
})

describe('linear and conv2dLayer', () => {
  it('should give x W^T + b over the last dimension', () => {
    const layer = scope({ weight: tensor([1, 2, 3, 4, 5, 6], [3, 2]), bias: tensor([10, 20, 30]) })
    near(linear(tensor([1, 1, 2, -1], [2, 1, 2]), layer).dataSync(), [13, 27, 41, 10, 22, 34])
    near(linear(tensor([1, 1], [1, 2]), scope({ weight: tensor([1, 2], [1, 2]) })).dataSync(), [3])
  })

  it('should keep the size by default and take stride, padding and bias', () => {
    const x = tensor([1, 2, 3, 4], [1, 1, 2, 2])
    const layer = scope({ weight: tensor(new Float64Array(9).fill(1), [1, 1, 3, 3]), bias: tensor([0.5]) })
    near(conv2dLayer(x, layer).dataSync(), [10.5, 10.5, 10.5, 10.5])
    near(conv2dLayer(x, layer, { stride: 2, padding: [0, 1, 0, 1] }).dataSync(), [10.5])
  })

  it('should normalise with the weight and bias of the group norm layer', () => {
    const y = groupNormLayer(tensor([1, 3, 5, 9], [1, 2, 2]), scope({ weight: tensor([2, 1]), bias: tensor([0, 7]) }), {
      groups: 2,
      epsilon: 0,
    })
    near(y.dataSync(), [-2, 2, 6, 8])
  })
})

describe('attention', () => {
  it('should be the softmax-weighted mean of values per head, by plain loops', () => {
    const [batch, heads, perHead, positions] = [2, 3, 2, 4]
    const [q, k, v] = [0, 1, 2].map(() => random(batch, heads * perHead, positions)) as [Tensor, Tensor, Tensor]
    const at = (x: Tensor, b: number, h: number, c: number, p: number): number =>
      x.dataSync()[((b * heads + h) * perHead + c) * positions + p]!
    const expected: number[] = []
    for (let b = 0; b < batch; b++) {
      for (let h = 0; h < heads; h++) {
        const channels = Array.from({ length: perHead }, (_, c) => c)
        const all = Array.from({ length: positions }, (_, p) => p)
        const weights = all.map(i => {
          const e = all.map(j => Math.exp(channels.reduce((s, c) => s + at(q, b, h, c, i) * at(k, b, h, c, j), 0) / Math.sqrt(perHead)))
          return e.map(x => x / e.reduce((s, y) => s + y, 0))
        })
        for (const c of channels) for (const i of all) expected.push(all.reduce((s, j) => s + weights[i]![j]! * at(v, b, h, c, j), 0))
      }
    }
    near(attention(q, k, v, { heads }).dataSync(), expected)
  })

  it('should refuse heads that do not divide the channels', () => {
    const x = random(1, 4, 2)
    expect(() => attention(x, x, x, { heads: 3 })).toThrow('3 heads do not divide 4 channels')
  })
})

describe('timestepEmbedding', () => {
  it('should follow sin and cos of t / maxPeriod^(i / (half - freqShift)), sines first', () => {
    const row = timestepEmbedding([3], 4, { freqShift: 0 }).dataSync()
    near(row, [Math.sin(3), Math.sin(0.03), Math.cos(3), Math.cos(0.03)], 1e-6)
    near(timestepEmbedding([3], 4, { freqShift: 1 }).dataSync(), [Math.sin(3), Math.sin(3e-4), Math.cos(3), Math.cos(3e-4)], 1e-6)
  })

  it('should put cosines first when flipped, and a zero last when the dimension is odd', () => {
    near(timestepEmbedding([0.5], 3, { flipSinToCos: true, freqShift: 0 }).dataSync(), [Math.cos(0.5), Math.sin(0.5), 0], 1e-6)
  })

  it('should give an image the bits of its own timestep, whatever timesteps the others of the batch have', () => {
    const alone = (t: number) => [...timestepEmbedding([t], 6).dataSync()]
    const t = [3, 700, 3, 12.5, 700, Number.NaN, Number.NaN]
    expect([...timestepEmbedding(t, 6).dataSync()]).toEqual(t.flatMap(alone))
    expect(alone(Number.NaN).every(Number.isNaN)).toBe(true)
  })
})

describe('upsampleNearest2x and avgPool2d', () => {
  it('should make each pixel a 2x2 block', () => {
    near(upsampleNearest2x(tensor([1, 2, 3, 4], [1, 1, 2, 2])).dataSync(), [1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4])
  })

  it('should average disjoint windows, and undo the upsampling', () => {
    const x = random(2, 3, 4, 2)
    near(avgPool2d(tensor([1, 2, 3, 4, 5, 6, 7, 8], [1, 1, 2, 4]), 2).dataSync(), [3.5, 5.5])
    near(avgPool2d(upsampleNearest2x(x), 2).dataSync(), Array.from(x.dataSync()))
  })

  it('should refuse windows that do not tile the image', () => {
    expect(() => avgPool2d(random(1, 1, 3, 4), 2)).toThrow('windows of 2 do not tile 3x4')
  })

  it.each([0, -2, 1.5, [2]])('should refuse windows of %j', size => {
    expect(() => avgPool2d(random(1, 1, 6, 6), size as never)).toThrow(
      `avgPool2d: size must be a whole number from 1 to 2147483647, got ${JSON.stringify(size)}; give one such number`,
    )
  })
})

describe('crossEntropy', () => {
  it('should be log sum exp minus the logit of the label, per image and on average', () => {
    const logits = tensor([1, 2, 3, 0, -1, 4], [2, 3])
    const lse = (...z: number[]): number => Math.log(z.reduce((s, x) => s + Math.exp(x), 0))
    const expected = [lse(1, 2, 3) - 1, lse(0, -1, 4) - 4]
    near(crossEntropy(logits, [0, 2]).dataSync(), expected)
    near(meanCrossEntropy(logits, [0, 2]).dataSync(), [(expected[0]! + expected[1]!) / 2])
  })

  it('should have the gradient softmax - oneHot', () => {
    const logits = random(2, 3)
    const { pullback } = vjp((z: Tensor) => crossEntropy(z, [2, 0]), logits)
    const gradient = pullback(tensor([1, 1])).dataSync()
    const labels = oneHot([2, 0], 3).dataSync()
    expect(Array.from(labels)).toEqual([0, 0, 1, 1, 0, 0])
    for (let row = 0; row < 2; row++) {
      const e = Array.from(logits.dataSync().slice(3 * row, 3 * row + 3), Math.exp)
      const total = e.reduce((a, b) => a + b)
      near(
        gradient.slice(3 * row, 3 * row + 3),
        e.map((x, i) => x / total - labels[3 * row + i]!),
      )
    }
  })

  it('should be finite where another class has probability zero', () => {
    const logits = tensor([0, Number.NEGATIVE_INFINITY, 1], [1, 3])
    const { value, pullback } = vjp((z: Tensor) => crossEntropy(z, [0]), logits)
    near(value.dataSync(), [Math.log(1 + Math.E)])
    near(pullback(tensor([1])).dataSync(), [1 / (1 + Math.E) - 1, 0, Math.E / (1 + Math.E)])
  })

  it('should refuse labels that are no classes or too few', () => {
    expect(() => crossEntropy(random(1, 3), [3])).toThrow('label 3 at 0 is no class of 0..2')
    expect(() => crossEntropy(random(2, 3), [1])).toThrow('for 1 labels')
  })
})
