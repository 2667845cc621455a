import { paperTimesteps } from '../../algorithms/purification/timesteps.ts'
import { useBackend } from '../../core/index.ts'
import { findWeights } from '../digits/weights.ts'
import { checkWeights } from '../dwBox/checkWeights.ts'
import { processNames, processSteps } from '../dwBox/process.ts'
import { batchOf } from '../dwBox/runUnit.ts'
import { presentBackend, type RunBackend } from '../gpu/presentBackend.ts'
import { UsageError } from '../support/errors.ts'
import { createProgress } from '../support/progress.ts'
import { collectProvenance } from '../support/provenance.ts'
import { purificationCosts } from './cost.ts'
import { inceptionExtractor } from './extractors.ts'
import { formatQuality } from './format.ts'
import { measureQuality } from './quality.ts'

/** What the command line gives. */
export interface QualityOptions {
  readonly models: string[]
  readonly weights: string[]
  readonly images: number
  readonly tStar: number
  readonly steps: number
  readonly sampler: 'ddpm' | 'ddim'
  readonly sampleSteps: number
  readonly inception?: string
  readonly seed: number
  readonly backend: RunBackend
  readonly json?: boolean
  readonly quiet?: boolean
}

/** Images on which processor time is measured. */
const timedImages = 32

/** @throws UsageError when the steps do not fit, before any work */
const checkOptions = ({ tStar, steps, sampleSteps }: QualityOptions): void => {
  try {
    for (const reverse of processNames) processSteps({ reverse, tStar, reverseSteps: steps })
    paperTimesteps({ tStar: 1, steps: sampleSteps })
  } catch (cause) {
    throw new UsageError((cause as Error).message, 'see npm run quality -- --help')
  }
}

/**
 * Measures and prints what the command line asks for.
 * @throws UsageError, UserError and FileError before any work, when options do not fit or weights are missing or damaged
 */
export const runQuality = async ({ json, quiet, ...o }: QualityOptions): Promise<void> => {
  checkOptions(o)
  const backend = await presentBackend(o.backend)
  checkWeights(o.weights, o.models)
  await useBackend(backend)
  const extractor = o.inception === undefined ? undefined : inceptionExtractor(o.inception)
  const progress = createProgress({
    label: 'quality',
    total: 2 * o.models.length * o.images,
    unit: 'images',
    silent: Boolean(json || quiet),
  })
  try {
    const rows = await measureQuality({
      ...o,
      ...(extractor && { extractor }),
      folders: o.weights,
      onImages: (images, note) => progress.advance(images, note),
    })
    const { images } = batchOf(Array.from({ length: timedImages }, (_, i) => i))
    const processes = processNames.map(reverse => ({ reverse, tStar: o.tStar, reverseSteps: o.steps }))
    const costs = await purificationCosts(findWeights(o.weights, o.models[0]!), processes, images)
    images.dispose()
    progress.finish()
    const report = { rows, costs, options: o, provenance: collectProvenance({ seed: o.seed, backend }) }
    process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : formatQuality(rows, costs))
  } finally {
    progress.stop()
  }
}
