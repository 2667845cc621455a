import { beforeAll, describe, expect, it } from 'vitest'
import { createVit, type VitConfig } from '../../algorithms/models/vit.ts'
import { grad, liveTensors, type Tensor, useBackend } from '../../core/index.ts'
import { countParameters, resizeBicubic } from '../../core/nn/index.ts'
import { key } from '../../core/random/key.ts'
import { expectAllNear } from '../support/numbers.ts'
import { asTensors, batchOfOne, conv, fullyConnected, type Image, layerOf, randomImage, randomValues, type Values } from './plainLayers.ts'

beforeAll(() => useBackend('reference'))

const SMALL = {
  imageSize: 6,
  patchSize: 3,
  hiddenSize: 4,
  layers: 2,
  heads: 2,
  mlpSize: 5,
  epsilon: 0.1,
  inChannels: 2,
  classes: 3,
} satisfies VitConfig

const network = createVit(SMALL)
const shapes = network.parameterShapes()

const add = (a: readonly number[], b: readonly number[]): number[] => a.map((value, i) => value + b[i]!)

const rowNorm = (x: readonly number[], { weight, bias }: ReturnType<typeof layerOf>): number[] => {
  const mean = x.reduce((a, b) => a + b, 0) / x.length
  const variance = x.reduce((total, value) => total + (value - mean) ** 2, 0) / x.length
  return x.map((value, i) => ((value - mean) / Math.sqrt(variance + SMALL.epsilon)) * weight[i]! + bias![i]!)
}

/** The normal distribution function by Simpson's rule from 0. */
const normalCdf = (x: number): number => {
  const steps = 200
  const density = (u: number): number => Math.exp((-u * u) / 2) / Math.sqrt(2 * Math.PI)
  let total = density(0) + density(x)
  for (let i = 1; i < steps; i++) total += (i % 2 === 1 ? 4 : 2) * density((x * i) / steps)
  return 0.5 + (total * x) / (3 * steps)
}

const softmax = (scores: readonly number[]): number[] => {
  const powers = scores.map(Math.exp)
  return powers.map(power => power / powers.reduce((a, b) => a + b, 0))
}

/** The origin's forward pass over lists of numbers, with the names of its state dict. */
const plainLogits = (values: Values, image: Image): number[] => {
  const at = (name: string) => layerOf(values, name)
  const patches = conv(image, at('vit.embeddings.patch_embeddings.projection'), { kernel: 3, stride: 3, padding: 0 })
  const places = patches[0]!.flatMap((row, y) => row.map((_, x) => patches.map(plane => plane[y]![x]!)))
  let tokens = [[...values['vit.embeddings.cls_token']!], ...places].map((token, i) =>
    add(token, [...values['vit.embeddings.position_embeddings']!.slice(4 * i, 4 * i + 4)]),
  )
  for (const layer of ['vit.encoder.layer.0', 'vit.encoder.layer.1']) {
    const normed = tokens.map(token => rowNorm(token, at(`${layer}.layernorm_before`)))
    const [q, k, v] = ['query', 'key', 'value'].map(name => normed.map(t => fullyConnected(t, at(`${layer}.attention.attention.${name}`))))
    const attended = tokens.map((_, i) =>
      [0, 1].flatMap(head => {
        const part = (token: readonly number[]): number[] => token.slice(2 * head, 2 * head + 2)
        const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((total, value, c) => total + value * b[c]!, 0)
        const weights = softmax(k!.map(token => dot(part(q![i]!), part(token)) / Math.sqrt(2)))
        return [0, 1].map(c =>
          dot(
            weights,
            v!.map(token => part(token)[c]!),
          ),
        )
      }),
    )
    tokens = tokens.map((token, i) => add(token, fullyConnected(attended[i]!, at(`${layer}.attention.output.dense`))))
    tokens = tokens.map(token => {
      const hidden = fullyConnected(rowNorm(token, at(`${layer}.layernorm_after`)), at(`${layer}.intermediate.dense`))
      return add(
        token,
        fullyConnected(
          hidden.map(value => value * normalCdf(value)),
          at(`${layer}.output.dense`),
        ),
      )
    })
  }
  return fullyConnected(rowNorm(tokens[0]!, at('vit.layernorm')), at('classifier'))
}

describe('createVit', () => {
  it('should have the published number of parameters of ViT-B/16, for 10 and 1,000 classes', () => {
    expect(countParameters(createVit().parameterShapes())).toBe(85_806_346)
    // What no parameter's shape depends on.
    expect(createVit().config).toMatchObject({ imageSize: 224, heads: 12, epsilon: 1e-12 })
    expect(countParameters(createVit({ classes: 1000 }).parameterShapes())).toBe(86_567_656)
  })

  it('should have the names of the published state dict in its order', () => {
    const names = Object.keys(createVit().parameterShapes())
    expect(names).toHaveLength(200)
    expect(names.slice(0, 4)).toEqual(
      ['cls_token', 'position_embeddings', 'patch_embeddings.projection.weight', 'patch_embeddings.projection.bias'].map(
        name => `vit.embeddings.${name}`,
      ),
    )
    const layer = ['query', 'key', 'value'].map(name => `attention.attention.${name}`)
    layer.push('attention.output.dense', 'intermediate.dense', 'output.dense', 'layernorm_before', 'layernorm_after')
    expect(names.filter(name => name.startsWith('vit.encoder.layer.11.'))).toEqual(
      layer.flatMap(name => ['weight', 'bias'].map(kind => `vit.encoder.layer.11.${name}.${kind}`)),
    )
    expect(names.slice(-4)).toEqual(['vit.layernorm.weight', 'vit.layernorm.bias', 'classifier.weight', 'classifier.bias'])
  })

  it('should compute what the origin computes, by plain loops', () => {
    const values = randomValues(1, shapes)
    const image = randomImage(2, [2, 6, 6])
    expectAllNear(network.apply(asTensors(values, shapes), batchOfOne(image)).logits.dataSync(), plainLogits(values, image), 1e-9)
  })

  it('should resize images of another size, and let the gradient through to their pixels', () => {
    const params = asTensors(randomValues(1, shapes), shapes)
    const x = batchOfOne(randomImage(3, [2, 4, 5]))
    const logits = (images: Tensor): Tensor => network.apply(params, images).logits
    expectAllNear(logits(x).dataSync(), logits(resizeBicubic(x, [6, 6])).dataSync(), 1e-12)
    const gradient = grad((images: Tensor) => logits(images).sum())(x)
    expect(gradient.shape).toEqual(x.shape)
    expect(Array.from(gradient.dataSync()).every(value => value !== 0)).toBe(true)
  })

  it('should keep nothing but the logits', () => {
    const params = network.init(key(1))
    const x = batchOfOne(randomImage(2, [2, 6, 6]))
    const before = liveTensors()
    const { logits, runningStatistics } = network.apply(params, x, { train: true })
    expect([logits.shape, runningStatistics, network.bufferShapes(), liveTensors()]).toEqual([[1, 3], {}, {}, before + 1])
  })

  it('should initialise as the origin: weights with deviation 0.02, no biases, norms of 1', () => {
    const params = createVit({ ...SMALL, hiddenSize: 32, mlpSize: 64 }).init(key(4))
    const weight = Array.from(params['vit.encoder.layer.0.intermediate.dense.weight']!.dataSync())
    // 2,048 values: the standard error of the deviation is 1.6 %.
    expect(Math.abs(Math.sqrt(weight.reduce((total, value) => total + value * value, 0) / weight.length) / 0.02 - 1)).toBeLessThan(0.08)
    expect(new Set(params['vit.encoder.layer.0.intermediate.dense.bias']!.dataSync())).toEqual(new Set([0]))
    expect(new Set(params['vit.encoder.layer.1.layernorm_after.weight']!.dataSync())).toEqual(new Set([1]))
    expect(new Set(params['vit.layernorm.weight']!.dataSync())).toEqual(new Set([1]))
  })

  it('should refuse patches that do not tile, heads that do not divide, and other channels', () => {
    expect(() => createVit({ patchSize: 15 })).toThrow('patches of 15 do not tile images of 224')
    expect(() => createVit({ heads: 7 })).toThrow('7 heads do not divide 768 features')
    expect(() => network.apply(network.init(key(1)), batchOfOne(randomImage(1, [3, 6, 6])))).toThrow('x must be [batch,2,height,width]')
  })
})
