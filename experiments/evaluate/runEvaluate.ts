import { purifiedClassifier, undefended } from '../../algorithms/evaluation/defence.ts'
import { useBackend } from '../../core/index.ts'
import { DATASETS, type DatasetName } from '../data/datasets.ts'
import type { Split } from '../data/imageFolder.ts'
import { modelFolder } from '../fetch/modelFolder.ts'
import { fetchDataset } from '../fetch/remoteDatasets.ts'
import { presentBackend, type RunBackend } from '../gpu/presentBackend.ts'
import { UsageError } from '../support/errors.ts'
import { createProgress, type ProgressOptions } from '../support/progress.ts'
import { collectProvenance } from '../support/provenance.ts'
import { architectureOf, type Normalisation } from './architectures.ts'
import { checkFit, knownSides } from './checkFit.ts'
import { evaluateClean } from './evaluateClean.ts'
import { formatAccuracy } from './format.ts'
import { loadWeights } from './loadWeights.ts'
import { checkNormalisation, normalisedClassifier } from './normalised.ts'
import { loadPurifier, type PurifierOptions } from './purifier.ts'

/** What the command line gives. */
export interface EvaluateOptions extends Partial<PurifierOptions> {
  readonly arch: string
  readonly checkpoint: string
  readonly dataset: DatasetName
  readonly data: readonly string[]
  readonly download?: boolean
  readonly classes?: number
  readonly stateDict?: string
  readonly wholeModule?: boolean
  readonly split: Split
  readonly resize?: number
  readonly crop?: number
  readonly limit?: number
  readonly batch: number
  readonly mean?: readonly number[]
  readonly std?: readonly number[]
  readonly seed: number
  readonly backend: RunBackend
  readonly json?: boolean
  readonly quiet?: boolean
}

/** The options that decide the result. */
const reported = (
  { json, quiet, purify, purifier, tStar, steps, variance, seed, ...rest }: EvaluateOptions,
  seen: Normalisation,
  purifierCommit?: string,
): object => ({
  ...rest,
  ...seen,
  ...(purify !== undefined && {
    purify,
    purifier,
    ...(purifierCommit !== undefined && { purifierCommit }),
    tStar,
    steps,
    seed,
    ...(purify === 'ddpm' && { variance }),
  }),
})

/**
 * Loads the data set, the classifier and, where one is wanted, the purifier, and measures and prints the accuracy.
 * @throws UsageError when the options do not fit each other, UserError and FileError when something cannot be loaded or fetched
 */
export const runEvaluate = async (o: EvaluateOptions, wanted: PurifierOptions | null): Promise<void> => {
  if (o.download && o.data.length > 0) throw new UsageError('--download and --data exclude each other', 'give one of them')
  const silent = Boolean(o.json || o.quiet)
  const fetching = { progress: (p: ProgressOptions) => createProgress({ ...p, silent: p.silent || silent }) }
  const kind = DATASETS[o.dataset]
  checkFit({ ...o, sides: knownSides(o.dataset, o) })
  const { network, normalisation } = architectureOf(o.arch, { channels: kind.channels, classes: o.classes ?? kind.classes })
  const seen = { mean: o.mean ?? normalisation.mean, std: o.std ?? normalisation.std }
  checkNormalisation(seen, kind.channels)
  const backend = await presentBackend(o.backend)
  await useBackend(backend)
  const paths = o.download ? await fetchDataset(o.dataset, { ...fetching, split: o.split }) : o.data
  const data = await kind.load({ paths, limit: o.limit, split: o.split, resize: o.resize, crop: o.crop })
  checkFit({ ...o, sides: data.shape.slice(1) })
  const parameters = loadWeights(
    o.checkpoint,
    { ...network.parameterShapes(), ...network.bufferShapes() },
    { ...(o.stateDict !== undefined && { stateDictKey: o.stateDict }), unknownClasses: o.wholeModule ? 'inert' : 'refuse' },
  )
  const classifier = normalisedClassifier(network, parameters, seen)
  const model = wanted && (await modelFolder(wanted.purifier, fetching))
  const defence = model ? purifiedClassifier(loadPurifier({ ...wanted, purifier: model.folder }, data), classifier) : undefended(classifier)
  const progress = createProgress({ label: o.arch, total: data.count, unit: 'images', silent })
  try {
    const result = await evaluateClean(defence, data, {
      batch: o.batch,
      seed: o.seed,
      onBatch: (images, accuracy) => progress.advance(images, `accuracy ${(100 * accuracy).toFixed(1)} %`),
    })
    progress.finish()
    const report = {
      ...result,
      options: reported(o, seen, model?.commit),
      provenance: collectProvenance({ seed: o.seed, backend }),
    }
    process.stdout.write(o.json ? `${JSON.stringify(report, null, 2)}\n` : formatAccuracy(result, { ...o, purifier: wanted }))
  } finally {
    progress.stop()
  }
}
