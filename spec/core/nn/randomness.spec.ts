import { beforeAll, describe, expect, it } from 'vitest'
import { ones, useBackend } from '../../../core/index.ts'
import {
  checkParameters,
  constantOf,
  convShapes,
  dropout,
  initialise,
  linearShapes,
  normShapes,
  runningShapes,
  xavierUniform,
} from '../../../core/nn/index.ts'
import { key } from '../../../core/random/key.ts'
import { standardErrors } from '../../support/falseFailures.ts'

beforeAll(() => useBackend('reference'))

const variance = (values: ArrayLike<number>): number => Array.from(values).reduce((sum, x) => sum + x * x, 0) / values.length
const largest = (values: ArrayLike<number>): number => Array.from(values).reduce((top, x) => Math.max(top, Math.abs(x)), 0)

describe('dropout', () => {
  it('should zero the given share and divide the rest by 1 - probability', () => {
    const n = 20_000
    const values = dropout(ones([n]), 0.3, key(1)).dataSync()
    const zeros = Array.from(values).filter(x => x === 0).length
    expect(Math.abs(zeros / n - 0.3)).toBeLessThan(standardErrors('share of dropout') * Math.sqrt((0.3 * 0.7) / n))
    expect(new Set(values)).toEqual(new Set([0, 1 / 0.7]))
  })

  it('should give the first images the same mask in a longer batch', () => {
    const short = dropout(ones([2, 5]), 0.5, key(2)).dataSync()
    const long = dropout(ones([4, 5]), 0.5, key(2)).dataSync()
    expect(Array.from(long.slice(0, 10))).toEqual(Array.from(short))
    expect(Array.from(dropout(ones([2, 5]), 0.5, key(3)).dataSync())).not.toEqual(Array.from(short))
  })

  it('should give each image with a key of its own the mask that it has alone', () => {
    const keys = [key(4), key(5), key(6)]
    const together = Array.from(dropout(ones([3, 8]), 0.5, keys).dataSync())
    expect(together).toEqual(keys.flatMap(own => Array.from(dropout(ones([1, 8]), 0.5, [own]).dataSync())))
    expect(together).toEqual(keys.flatMap(own => Array.from(dropout(ones([8]), 0.5, own).dataSync())))
    expect(() => dropout(ones([2, 8]), 0.5, keys)).toThrow('dropout: 2 images but 3 keys; give one key per image')
  })

  it('should refuse probabilities outside [0, 1)', () => {
    expect(() => dropout(ones([1]), 1, key(1))).toThrow('dropout: probability 1 is outside')
  })
})

describe('initialise', () => {
  const shapes = {
    ...convShapes('conv', 8, 16, { kernel: 3 }),
    ...linearShapes('linear', 50, 40),
    ...normShapes('norm', 4),
    ...runningShapes('norm', 4),
  }

  it('should draw weights and biases of linear maps within 1 / sqrt(fanIn), uniformly', () => {
    const { 'conv.weight': conv, 'conv.bias': bias, 'linear.weight': linear } = initialise(key(4), shapes)
    for (const [tensor, fanIn] of [
      [conv!, 72],
      [bias!, 72],
      [linear!, 50],
    ] as const) {
      expect(largest(tensor.dataSync())).toBeLessThanOrEqual(1 / Math.sqrt(fanIn))
    }
    // Uniform in (-b, b) has variance b^2 / 3; over 1152 values its relative deviation is 2.6 %, five of them are allowed.
    expect(Math.abs(variance(linear!.dataSync()) * 3 * 50 - 1)).toBeLessThan(5 * 0.02)
    expect(Math.abs(variance(conv!.dataSync()) * 3 * 72 - 1)).toBeLessThan(5 * 0.026)
  })

  it('should start normalisation at the identity', () => {
    const made = initialise(key(5), shapes)
    const values = (name: string): number[] => Array.from(made[name]!.dataSync())
    expect(values('norm.weight')).toEqual([1, 1, 1, 1])
    expect(values('norm.bias')).toEqual([0, 0, 0, 0])
    expect(values('norm.running_var')).toEqual([1, 1, 1, 1])
    expect(values('norm.num_batches_tracked')).toEqual([0])
  })

  it('should draw each name from a key of its own, whatever else there is', () => {
    const alone = initialise(key(6), { 'linear.weight': [40, 50] })
    expect(Array.from(alone['linear.weight']!.dataSync())).toEqual(Array.from(initialise(key(6), shapes)['linear.weight']!.dataSync()))
  })

  it('should prefer the special initialiser', () => {
    const made = initialise(key(7), shapes, name =>
      name === 'conv.weight' ? xavierUniform(2) : name === 'conv.bias' ? constantOf(3) : undefined,
    )
    const bound = 2 * Math.sqrt(6 / (8 * 9 + 16 * 9))
    const top = largest(made['conv.weight']!.dataSync())
    expect(top).toBeLessThanOrEqual(bound)
    expect(top).toBeGreaterThan(0.95 * bound)
    expect(new Set(made['conv.bias']!.dataSync())).toEqual(new Set([3]))
  })
})

describe('checkParameters', () => {
  const shapes = { a: [2, 3], b: [2], c: [] }

  it('should accept exactly the shapes of the network', () => {
    expect(() => checkParameters(shapes, { c: { shape: [] }, a: { shape: [2, 3] }, b: { shape: [2] } }, 'f')).not.toThrow()
  })

  it('should list missing, unexpected and misshaped names at once', () => {
    expect(() => checkParameters(shapes, { a: { shape: [3, 2] }, c: { shape: [] }, x: { shape: [1] } }, 'model.safetensors')).toThrow(
      'model.safetensors: parameters do not fit the network: 1 missing (b), 1 unexpected (x), 1 of another shape (a [3,2] instead of [2,3]); use',
    )
  })
})
