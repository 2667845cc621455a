import { describe, expect, it } from 'vitest'
import { countParameters } from '../../../core/nn/index.ts'
import { architectureOf } from '../../../experiments/evaluate/architectures.ts'

describe('architectureOf', () => {
  it.each([
    ['resnet20', 269_722],
    ['resnet18', 11_173_962],
    ['wrn-28-10', 36_479_194],
    ['wide-28-10', 36_489_290],
    ['vit-b-16', 85_806_346],
  ])('should know %s with its published number of parameters', (name, published) => {
    const { network } = architectureOf(name, { channels: 3, classes: 10 })
    expect(countParameters(network.parameterShapes())).toBe(published)
  })

  it.each([
    ['resnet50-imagenet', 25_557_032, 0.485],
    ['vgg16-bn', 138_365_992, 0.485],
  ])('should give %s the classes and the normalisation that are asked for', (name, published, mean) => {
    const { network, normalisation } = architectureOf(name, { channels: 3, classes: 1000 })
    expect([countParameters(network.parameterShapes()), normalisation.mean[0]]).toEqual([published, mean])
  })
})
