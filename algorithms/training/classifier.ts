import { stopGradient, type Tensor, tidy, valueAndGrad } from '../../core/index.ts'
import { meanCrossEntropy } from '../../core/nn/index.ts'
import type { Parameters } from '../models/types.ts'

/** A classifier in training mode: logits and the moved running statistics of its normalisation layers. */
export type TrainableClassifier = (parameters: Parameters, x: Tensor) => { readonly logits: Tensor; readonly runningStatistics: Parameters }

/** Whether the last part of a parameter's name is that of a running statistic: in the record, but changed by no gradient. */
export const isRunningStatistic = (name: string): boolean => /(^|\.)(running_mean|running_var|num_batches_tracked)$/.test(name)

/**
 * Loss and gradient of one classifier training step: mean cross-entropy of a batch.
 * x: [batch, channels, height, width]; labels: one per image. The gradient holds the trained parameters only;
 * `runningStatistics` holds the new values of the others. Throws ShapeError on another number of labels than images, RangeError
 * on a label that is no class.
 */
export const classifierStep = (
  parameters: Parameters,
  x: Tensor,
  labels: readonly number[],
  model: TrainableClassifier,
): { readonly loss: Tensor; readonly gradient: Parameters; readonly runningStatistics: Parameters } =>
  tidy(() => {
    const trained = Object.fromEntries(Object.entries(parameters).filter(([name]) => !isRunningStatistic(name)))
    const { value, gradient, aux } = valueAndGrad((theta: Parameters) => {
      const { logits, runningStatistics } = model({ ...parameters, ...theta }, x)
      return [meanCrossEntropy(logits, labels), runningStatistics] as const
    })(trained)
    return { loss: value, gradient, runningStatistics: Object.fromEntries(Object.entries(aux).map(([name, t]) => [name, stopGradient(t)])) }
  })
