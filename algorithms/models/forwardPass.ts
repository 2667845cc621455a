import { type Tensor, tidy } from '../../core/index.ts'
import { type BatchNormOptions, batchNorm, type Conv2dLayerOptions, conv2dLayer, layerDropout, linear, scope } from '../../core/nn/index.ts'
import type { ClassifierOptions } from './classifierNetwork.ts'
import type { Parameters } from './types.ts'

/** Layers by name during one forward pass of a classifier, and what they leave behind. */
export interface ForwardPass {
  /** Statistics moved so far; empty outside training. */
  readonly runningStatistics: Readonly<Record<string, Tensor>>
  conv2d(x: Tensor, name: string, o?: Conv2dLayerOptions): Tensor
  batchNorm(x: Tensor, name: string, o?: Pick<BatchNormOptions, 'relu' | 'momentum' | 'epsilon'>): Tensor
  linear(x: Tensor, name: string): Tensor
  /** Nothing outside training or without a key. */
  dropout(x: Tensor, probability: number, name: string): Tensor
  /** Runs a block of layers and frees what it made but does not return; in training the moved statistics must outlive it. */
  block(layers: () => Tensor): Tensor
}

export const forwardPass = (params: Parameters, { train = false, dropoutKey }: ClassifierOptions): ForwardPass => {
  const parameters = scope(params)
  const runningStatistics: Record<string, Tensor> = {}
  return {
    runningStatistics,
    conv2d: (x, name, o) => conv2dLayer(x, parameters.at(name), o),
    batchNorm: (x, name, o) => {
      const { output, runningStatistics: moved } = batchNorm(x, parameters.at(name), { ...o, train })
      Object.assign(runningStatistics, moved)
      return output
    },
    linear: (x, name) => linear(x, parameters.at(name)),
    block: layers => (train ? layers() : tidy(layers)),
    dropout: (x, probability, name) => layerDropout(x, name, { key: train ? dropoutKey : undefined, probability }),
  }
}
