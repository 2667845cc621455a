import { plainlyPurifiedClassifier } from '../../algorithms/baselines/noiseAndDenoise.ts'
import { pixelSigma } from '../../algorithms/diffusion/noiseLevel.ts'
import { linearSchedule } from '../../algorithms/diffusion/schedule.ts'
import { type Defence, purifiedClassifier, undefended } from '../../algorithms/evaluation/defence.ts'
import type { Classifier } from '../../algorithms/models/types.ts'
import type { AnyPurifier } from '../../algorithms/purification/anyPurifier.ts'
import { paperTimesteps } from '../../algorithms/purification/timesteps.ts'
import { digitsDenoiser } from '../baselines/digitsDenoiser.ts'
import { digitsUnet } from '../digits/networks.ts'
import { classifierOf, classifierShapes, epsilonModel, findWeights, loadParameters } from '../digits/weights.ts'
import type { DefenceSpec } from './plan.ts'
import { processPurifier } from './process.ts'

/** The networks of a run, loaded once per process from the first folder that has them. */
export interface Networks {
  readonly classifier: Classifier
  purifier(spec: DefenceSpec & { readonly purifier: string }): AnyPurifier
  defence(spec: DefenceSpec): Defence
}

/** @throws UserError or FileError when weights are missing or damaged; nothing is half-loaded */
export const loadNetworks = (folders: readonly string[]): Networks => {
  const classifier = classifierOf(loadParameters(findWeights(folders, 'classifier'), classifierShapes))
  const schedule = linearSchedule()
  const models = new Map<string, ReturnType<typeof epsilonModel>>()
  const modelOf = (name: string): ReturnType<typeof epsilonModel> => {
    let model = models.get(name)
    if (!model) {
      model = epsilonModel(loadParameters(findWeights(folders, name), digitsUnet.parameterShapes()))
      models.set(name, model)
    }
    return model
  }
  const purifier: Networks['purifier'] = spec => ({
    ...processPurifier(spec, modelOf(spec.purifier)),
    ...(spec.clampGradient && { clampGradient: spec.clampGradient }),
  })
  const defence: Networks['defence'] = spec => {
    if (spec.purifier !== null) return purifiedClassifier(purifier({ ...spec, purifier: spec.purifier }), classifier)
    if (spec.denoiser === undefined) return undefended(classifier)
    const sigma = pixelSigma(schedule, paperTimesteps({ tStar: spec.tStar, steps: 1 })[0]!.t)
    return plainlyPurifiedClassifier({ sigma, denoiser: digitsDenoiser(spec.denoiser, sigma) }, classifier)
  }
  return { classifier, purifier, defence }
}
