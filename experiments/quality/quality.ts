import { linearSchedule } from '../../algorithms/diffusion/schedule.ts'
import { fid } from '../../algorithms/evaluation/fid.ts'
import { type ImageDistance, imageDistances } from '../../algorithms/evaluation/imageDistance.ts'
import { inceptionScore } from '../../algorithms/evaluation/inceptionScore.ts'
import type { Parameters } from '../../algorithms/models/types.ts'
import { purifyAny } from '../../algorithms/purification/anyPurifier.ts'
import { sample } from '../../algorithms/purification/sample.ts'
import { paperTimesteps } from '../../algorithms/purification/timesteps.ts'
import { createDraws } from '../../algorithms/randomness/draws.ts'
import { type Tensor, tidy } from '../../core/index.ts'
import { loadDigits, splitDigits } from '../data/digits.ts'
import { classifierShapes, findWeights, loadParameters } from '../digits/weights.ts'
import { processPurifier } from '../dwBox/process.ts'
import { batchOf } from '../dwBox/runUnit.ts'
import { type Extractor, see } from './extractors.ts'
import { samplingModel } from './models.ts'

export interface QualityOptions {
  readonly models: readonly string[]
  readonly folders: readonly string[]
  readonly seed: number
  readonly images: number
  readonly tStar: number
  readonly steps: number
  readonly sampleSteps: number
  readonly sampler: 'ddpm' | 'ddim'
  /** FID is over its features; default: those of the classifier. */
  readonly extractor?: Extractor
  readonly onImages: (images: number, note: string) => void
}

/** One set of images against the training images. */
export interface QualityRow {
  /** `real`: test images. `purified`: these, purified. `sampled`: from pure noise. */
  readonly kind: 'real' | 'purified' | 'sampled'
  readonly model: string | null
  /** Fréchet distances: penultimate features of the classifier or those of InceptionV3, and the pixels themselves. */
  readonly fidFeatures: number
  readonly fidPixels: number
  readonly inceptionScore: number
  /** Mean distance to the originals, of purified images. */
  readonly distance: ImageDistance | null
}

const batchSize = 100
/** The published window of 11 does not fit into 8 x 8 pixels. */
const ssimWindow = 7

const parts = (ids: readonly number[]): number[][] =>
  Array.from({ length: Math.ceil(ids.length / batchSize) }, (_, i) => ids.slice(i * batchSize, (i + 1) * batchSize))

/**
 * Quality of purified and sampled digits (claim 4 of the paper: RBGM keeps it where a raw l_inf perturbation does not). All sets
 * have the same number of images, since FID falls with it; that of real test images is the floor.
 */
export const measureQuality = async (o: QualityOptions): Promise<QualityRow[]> => {
  const { shape } = loadDigits()
  const { train, test } = splitDigits()
  const size = shape[0] * shape[1] * shape[2]
  const ids = [...test.slice(0, o.images)]
  const classifier: Parameters = loadParameters(findWeights(o.folders, 'classifier'), classifierShapes)

  const viewOf = async (batches: readonly Tensor[]) => {
    const pixels = Float64Array.from((await Promise.all(batches.map(batch => batch.data()))).flatMap(values => [...values]))
    const seen = await see(classifier, batches, o.extractor)
    for (const batch of batches) batch.dispose()
    return { pixels, ...seen }
  }
  type View = Awaited<ReturnType<typeof viewOf>>
  const imagesOf = (which: readonly number[]): Tensor[] => parts(which).map(part => batchOf(part).images)
  const reference = await viewOf(imagesOf([...train]))
  const original = await viewOf(imagesOf(ids))

  const rowOf = (kind: QualityRow['kind'], model: string | null, view: View): QualityRow => ({
    kind,
    model,
    fidFeatures: fid(
      { values: view.features, dimension: view.featureCount },
      { values: reference.features, dimension: reference.featureCount },
    ),
    fidPixels: fid({ values: view.pixels, dimension: size }, { values: reference.pixels, dimension: size }),
    inceptionScore: inceptionScore(view.probabilities, view.classes),
    distance: kind === 'purified' ? meanOf(imageDistances(view.pixels, original.pixels, shape, { window: ssimWindow })) : null,
  })

  const rows = [rowOf('real', null, original)]
  const schedule = linearSchedule()
  for (const name of o.models) {
    const { epsilonTheta } = samplingModel(o.folders, name)
    const purifier = processPurifier({ reverse: 'ddpm', tStar: o.tStar, reverseSteps: o.steps }, epsilonTheta)
    const sampler = {
      epsilonTheta,
      schedule,
      intervals: paperTimesteps({ tStar: 1, steps: o.sampleSteps }),
      reverse: o.sampler === 'ddim' ? ({ kind: 'ddim', eta: 0 } as const) : ({ kind: 'ddpm', variance: 'fixedLarge' } as const),
    }
    const make = async (kind: 'purified' | 'sampled'): Promise<void> => {
      const made = parts(ids).map(part => {
        const draws = createDraws({ seed: o.seed, images: part })
        const batch = kind === 'purified' ? batchOf(part).images : null
        const result = tidy(() => (batch ? purifyAny(purifier, batch, draws) : sample(sampler, shape, draws)))
        batch?.dispose()
        o.onImages(part.length, `${name} ${kind}`)
        return result
      })
      rows.push(rowOf(kind, name, await viewOf(made)))
    }
    await make('purified')
    await make('sampled')
  }
  return rows
}

const meanOf = (distances: readonly ImageDistance[]): ImageDistance => {
  const mean = (of: (each: ImageDistance) => number): number => distances.reduce((sum, each) => sum + of(each), 0) / distances.length
  return { l2: mean(d => d.l2), linf: mean(d => d.linf), psnr: mean(d => d.psnr), ssim: mean(d => d.ssim) }
}
