import type { Defence } from '../../algorithms/evaluation/defence.ts'
import { judge } from '../../algorithms/evaluation/robustAccuracy.ts'
import { type ProportionInterval, wilson } from '../../algorithms/evaluation/statistics/wilson.ts'
import { createDraws } from '../../algorithms/randomness/draws.ts'
import { tensor } from '../../core/index.ts'
import type { ImageDataset } from '../data/imageDataset.ts'

export interface CleanAccuracy {
  readonly images: number
  readonly correct: number
  readonly accuracy: ProportionInterval
}

export interface CleanEvaluationOptions {
  /** Images per batch. It changes memory and speed, not the draws. */
  readonly batch: number
  readonly seed: number
  /** Awaited after every batch, with the number of its images and the accuracy so far. */
  readonly onBatch?: (images: number, accuracySoFar: number) => Promise<void> | void
}

/**
 * The share of images of a data set that a defence classifies correctly, each image judged once, with its 95 % Wilson
 * interval. The draws of image i are named by i, so that its outcome does not depend on the batch.
 * @throws Error when a logit is NaN
 */
export const evaluateClean = async (defence: Defence, data: ImageDataset, o: CleanEvaluationOptions): Promise<CleanAccuracy> => {
  const size = data.images.length / data.count
  let correct = 0
  for (let first = 0; first < data.count; first += o.batch) {
    const count = Math.min(o.batch, data.count - first)
    const ids = Array.from({ length: count }, (_, i) => first + i)
    const images = tensor(data.images.subarray(first * size, (first + count) * size), [count, ...data.shape])
    const draws = createDraws({ seed: o.seed, images: ids })
    const outcomes = await judge(
      () => defence(images, draws),
      ids.map(id => data.labels[id]!),
      1,
    )
    images.dispose()
    correct += outcomes.filter(([right]) => right).length
    await o.onBatch?.(count, correct / (first + count))
  }
  return { images: data.count, correct, accuracy: wilson(correct, data.count) }
}
