import type { Parameters } from '../../algorithms/models/types.ts'
import { ops, type Tensor, tidy } from '../../core/index.ts'
import { digitsClassifier } from '../digits/networks.ts'

/** What the measures of image quality see of a set of images: rows of features, and of class probabilities. */
export interface Seen {
  /** Penultimate features of the classifier, [images, featureCount]. */
  readonly features: Float64Array
  readonly featureCount: number
  readonly probabilities: Float64Array
  readonly classes: number
}

/** The classifier's view of images in [0,1], in batches. The classifier sees them in [-1,1], as it was trained. */
export const see = async (classifier: Parameters, batches: readonly Tensor[]): Promise<Seen> => {
  const features: number[] = []
  const probabilities: number[] = []
  for (const images of batches) {
    const result = tidy(() => {
      const { features: penultimate, logits } = digitsClassifier.apply(classifier, images.mul(2).sub(1))
      return { penultimate, answers: ops.softmax(logits) }
    })
    features.push(...(await result.penultimate.data()))
    probabilities.push(...(await result.answers.data()))
    result.penultimate.dispose()
    result.answers.dispose()
  }
  const images = batches.reduce((sum, batch) => sum + batch.shape[0]!, 0)
  return {
    features: Float64Array.from(features),
    featureCount: features.length / images,
    probabilities: Float64Array.from(probabilities),
    classes: probabilities.length / images,
  }
}
