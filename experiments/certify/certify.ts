import { oneStepDenoiser } from '../../algorithms/baselines/oneStepDenoiser.ts'
import { linearSchedule } from '../../algorithms/diffusion/schedule.ts'
import { type Defence, undefended } from '../../algorithms/evaluation/defence.ts'
import { type Certificate, certifiedAccuracy, certify, denoisedClassifier } from '../../algorithms/evaluation/smoothing.ts'
import { smoothingSources } from '../../algorithms/randomness/drawName.ts'
import { createDraws } from '../../algorithms/randomness/draws.ts'
import { digitsDenoiser } from '../baselines/digitsDenoiser.ts'
import { splitDigits } from '../data/digits.ts'
import { digitsUnet } from '../digits/networks.ts'
import { classifierOf, classifierShapes, epsilonModel, findWeights, loadParameters } from '../digits/weights.ts'
import { batchOf } from '../dwBox/runUnit.ts'

/** How certificates are made: noise, images, draws for the vote and for the guess, one minus the confidence. */
export interface CertifySettings {
  readonly sigma: number
  readonly images: number
  readonly samples: number
  readonly selection: number
  readonly alpha: number
  readonly seed: number
}

export interface CertifyOptions extends CertifySettings {
  readonly models: readonly string[]
  readonly folders: readonly string[]
  readonly radii: readonly number[]
  readonly onImages: (images: number, note: string) => void
}

/** A smoothed classifier on the test digits. */
export interface CertifiedRow {
  readonly defence: string
  /** Share of images answered rightly within each radius; the first, 0, is certified accuracy without a ball. */
  readonly accuracy: readonly number[]
  readonly abstained: number
  readonly certificates: readonly Certificate[]
}

/** The base classifiers that are smoothed: bare, behind denoisers without a network, behind the one-step estimate of each model. */
const defencesOf = (o: CertifyOptions): (readonly [name: string, defence: Defence])[] => {
  const classifier = classifierOf(loadParameters(findWeights(o.folders, 'classifier'), classifierShapes))
  const schedule = linearSchedule()
  return [
    ['classifier alone', undefended(classifier)],
    ['Gaussian blur', denoisedClassifier(digitsDenoiser('blur', o.sigma), classifier)],
    ['linear MMSE', denoisedClassifier(digitsDenoiser('linear', o.sigma), classifier)],
    ...o.models.map((name): [string, Defence] => {
      const epsilonTheta = epsilonModel(loadParameters(findWeights(o.folders, name), digitsUnet.parameterShapes()))
      return [`one step, ${name}`, denoisedClassifier(oneStepDenoiser({ epsilonTheta, schedule }, o.sigma), classifier)]
    }),
  ]
}

/** Number of defences that `certifyDigits` certifies. */
export const certifiedCount = (models: readonly string[]): number => 3 + models.length

/** Images that are certified at one time; their certificates do not depend on it. */
const batchSize = 64

/** Certified accuracy of smoothed classifiers on the first test digits. */
export const certifyDigits = async (o: CertifyOptions): Promise<CertifiedRow[]> => {
  const ids = [...splitDigits().test.slice(0, o.images)]
  const rows: CertifiedRow[] = []
  for (const [name, defence] of defencesOf(o)) {
    const certificates: Certificate[] = []
    const labels: number[] = []
    for (let first = 0; first < ids.length; first += batchSize) {
      const batch = batchOf(ids.slice(first, first + batchSize))
      const draws = createDraws({ seed: o.seed, images: batch.ids, registered: smoothingSources })
      certificates.push(...(await certify(defence, batch.images, draws, o)))
      labels.push(...batch.labels)
      batch.images.dispose()
      o.onImages(batch.ids.length, name)
    }
    rows.push({
      defence: name,
      accuracy: [0, ...o.radii].map(radius => certifiedAccuracy(certificates, labels, radius)),
      abstained: certificates.filter(({ answer }) => answer === null).length / certificates.length,
      certificates,
    })
  }
  return rows
}
