import { createInceptionV3 } from '../../algorithms/models/inceptionV3.ts'
import type { Parameters } from '../../algorithms/models/types.ts'
import { ops, type Tensor, tidy } from '../../core/index.ts'
import { digitsClassifier } from '../digits/networks.ts'
import { loadWeights } from '../evaluate/loadWeights.ts'

/** What the measures of image quality see of a set of images: rows of features, and of class probabilities. */
export interface Seen {
  /** Penultimate features of the classifier, or those of InceptionV3, [images, featureCount]. */
  readonly features: Float64Array
  readonly featureCount: number
  readonly probabilities: Float64Array
  readonly classes: number
}

/** Features of images [batch, channels, height, width] with pixels in [0,1]: [batch, features]. */
export type Extractor = (images: Tensor) => Tensor

/** Parts of a published InceptionV3 that features do not need. */
const UNUSED = /^(fc|AuxLogits)\./

/** Features of InceptionV3 with the weights of a file; grey images are shown in three equal channels. @throws FileError */
export const inceptionExtractor = (path: string): Extractor => {
  const network = createInceptionV3()
  const parameters = loadWeights(
    path,
    { ...network.parameterShapes(), ...network.bufferShapes() },
    { rename: tensors => Object.fromEntries(Object.entries(tensors).filter(([name]) => !UNUSED.test(name))) },
  )
  return images => network.apply(parameters, images.shape[1] === 1 ? ops.concat([images, images, images], 1) : images)
}

/**
 * The classifier's view of images in [0,1], in batches, and their features by `extractor`, if there is one. The classifier sees
 * them in [-1,1], as it was trained.
 */
export const see = async (classifier: Parameters, batches: readonly Tensor[], extractor?: Extractor): Promise<Seen> => {
  const features: number[] = []
  const probabilities: number[] = []
  for (const images of batches) {
    const result = tidy(() => {
      const { features: penultimate, logits } = digitsClassifier.apply(classifier, images.mul(2).sub(1))
      return { penultimate: extractor ? extractor(images) : penultimate, answers: ops.softmax(logits) }
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
