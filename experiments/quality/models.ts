import { linearSchedule } from '../../algorithms/diffusion/schedule.ts'
import type { EpsilonModel } from '../../algorithms/models/types.ts'
import { digitsUnet } from '../digits/networks.ts'
import { epsilonModel, findWeights, loadParameters, readWeights } from '../digits/weights.ts'

/** The model below a timestep, another from it on. */
export const switchedModel =
  (below: EpsilonModel, from: EpsilonModel, limit: number): EpsilonModel =>
  (xT, t, o) => {
    const [low, high] = [Math.min(...t), Math.max(...t)]
    if (low < limit && high >= limit)
      throw new RangeError(`switchedModel: one batch has timesteps from ${low} to ${high} on both sides of ${limit}; give them one by one`)
    return high < limit ? below(xT, t, o) : from(xT, t, o)
  }

export interface SamplingModel {
  readonly epsilonTheta: EpsilonModel
  /** Timesteps that its fine-tuning saw; above them it is `base` when sampling from pure noise. */
  readonly timestepLimit: number
}

/**
 * A model for sampling from pure noise. Fine-tunings of the digits see the timesteps of purification only, and what they do above these
 * is neither trained nor kept; there the model they started from (`base`) takes their place, so that what differs is what was trained.
 */
export const samplingModel = (folders: readonly string[], name: string): SamplingModel => {
  const load = (each: string): EpsilonModel => epsilonModel(loadParameters(findWeights(folders, each), digitsUnet.parameterShapes()))
  const { timesteps } = linearSchedule()
  const { metadata } = readWeights(findWeights(folders, name), digitsUnet.parameterShapes())
  const timestepLimit = metadata.timestepLimit === undefined ? timesteps : Number(metadata.timestepLimit)
  const own = load(name)
  return { epsilonTheta: timestepLimit < timesteps ? switchedModel(own, load('base'), timestepLimit) : own, timestepLimit }
}
