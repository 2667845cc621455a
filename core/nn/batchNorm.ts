import { add, constant, max, mul } from '../expr/expr.ts'
import { ops, stopGradient, type Tensor, tidy } from '../index.ts'
import { notRecording } from '../tape.ts'
import type { Scope, TensorRecord } from './scope.ts'

export interface BatchNormOptions {
  /** Normalise with the batch's own statistics and move the running ones. Default false. */
  readonly train?: boolean
  /** Weight of the new statistics in the running ones. Default 0.1. */
  readonly momentum?: number
  /** Added to the variance. Default 1e-5. */
  readonly epsilon?: number
  /** Whether relu follows, in the same kernel. Default false. */
  readonly relu?: boolean
}

export interface BatchNormResult {
  readonly output: Tensor
  /** The moved statistics under their full names; empty outside training. They carry no gradient. */
  readonly runningStatistics: TensorRecord
}

const affine = ops.fused((x, scale, shift) => add(mul(x!, scale!), shift!))
const affineRelu = ops.fused((x, scale, shift) => max(add(mul(x!, scale!), shift!), constant(0)))

/** Per channel, the mean and the biased variance of x. Of no gradient's concern, so their temporaries are freed at once. */
const batchStatistics = (x: Tensor): { readonly mean: Tensor; readonly variance: Tensor } =>
  notRecording(() =>
    tidy(() => {
      const others = x.shape.map((_, axis) => axis).filter(axis => axis !== 1)
      const values = stopGradient(x)
      const mean = values.mean(others, { keepDims: true })
      return { mean: mean.reshape([-1]), variance: values.sub(mean).square().mean(others) }
    }),
  )

/** New running values: (1 - momentum) old + momentum new. PyTorch keeps the unbiased variance there, but divides by the biased. */
const move = (layer: Scope, momentum: number, x: Tensor): TensorRecord => {
  const { mean, variance } = batchStatistics(x)
  const count = x.size / mean.size
  const mixed = (name: string, fresh: Tensor, factor: number): Tensor =>
    ops.addScaled(stopGradient(layer.get(name)), 1 - momentum, fresh, momentum * factor)
  const named = (name: string): string => (layer.path === '' ? name : `${layer.path}.${name}`)
  return {
    [named('running_mean')]: mixed('running_mean', mean, 1),
    [named('running_var')]: mixed('running_var', variance, count / (count - 1)),
    [named('num_batches_tracked')]: stopGradient(layer.get('num_batches_tracked')).add(1),
  }
}

/**
 * Batch normalisation (Ioffe and Szegedy 2015): per channel, (x - mean) / sqrt(variance + epsilon) * weight + bias, with
 * the batch's statistics in training and the running ones otherwise, where it is one multiplication and one addition. One
 * kernel either way, with relu where asked.
 *
 * x: [batch, channels, ...]; layer: weight, bias, running_mean, running_var [channels], num_batches_tracked [].
 * Throws when training sees one value per channel, whose variance is undefined.
 */
export const batchNorm = (x: Tensor, layer: Scope, o: BatchNormOptions = {}): BatchNormResult => {
  const { train = false, momentum = 0.1, epsilon = 1e-5, relu = false } = o
  const weight = layer.get('weight')
  const bias = layer.get('bias')
  if (train) {
    const count = x.size / weight.size
    if (count < 2) {
      throw new Error(`batchNorm: ${layer.path} in training needs two or more values per channel, got ${count}; enlarge the batch`)
    }
    return { output: ops.batchNorm(x, weight, bias, { epsilon, relu }), runningStatistics: move(layer, momentum, x) }
  }
  const perChannel = [1, weight.size, ...x.shape.slice(2).map(() => 1)]
  const scale = weight.div(layer.get('running_var').add(epsilon).sqrt())
  const shift = bias.sub(layer.get('running_mean').mul(scale))
  return { output: (relu ? affineRelu : affine)(x, scale.reshape(perChannel), shift.reshape(perChannel)), runningStatistics: {} }
}
