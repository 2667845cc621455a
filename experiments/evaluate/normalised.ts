import type { ClassifierNetwork } from '../../algorithms/models/classifierNetwork.ts'
import type { Classifier, Parameters } from '../../algorithms/models/types.ts'
import { tensor } from '../../core/index.ts'
import { UsageError } from '../support/errors.ts'
import type { Normalisation } from './architectures.ts'

/** @throws UsageError unless there are one or `channels` means and deviations, and the latter are positive */
export const checkNormalisation = ({ mean, std }: Normalisation, channels: number): void => {
  for (const [name, values] of Object.entries({ mean, std })) {
    if (values.length !== 1 && values.length !== channels)
      throw new UsageError(
        `--${name} has ${values.length} values for images of ${channels} ${channels === 1 ? 'channel' : 'channels'}`,
        'give one per channel, or one for all',
      )
  }
  if (!std.every(deviation => deviation > 0)) throw new UsageError(`--std is ${std.join(' ')}`, 'use positive numbers')
}

/** A network with fixed parameters that takes pixels in [0, 1] and sees (pixel - mean) / std. */
export const normalisedClassifier = (network: ClassifierNetwork, parameters: Parameters, { mean, std }: Normalisation): Classifier => {
  const [centre, scale] = [mean, std].map(values => tensor(values, [1, values.length, 1, 1]))
  return images => network.apply(parameters, images.sub(centre!).div(scale!)).logits
}
