import { Command, Option } from 'commander'
import { number, wholeNumber } from '../cli/arguments.ts'
import { DATASETS, type DatasetName } from '../data/datasets.ts'
import type { Split } from '../data/imageFolder.ts'
import { fetchDataset, remoteNames } from '../fetch/remoteDatasets.ts'
import { presentBackend, type RunBackend, runBackends } from '../gpu/presentBackend.ts'
import { UsageError } from '../support/errors.ts'
import { createProgress, type ProgressOptions } from '../support/progress.ts'
import { collectProvenance } from '../support/provenance.ts'
import { architectureNames, architectureOf, type Normalisation } from './architectures.ts'
import { formatAccuracy } from './format.ts'
import type { PurifierOptions } from './purifier.ts'

interface Options extends Partial<PurifierOptions> {
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

/** Options that say nothing without a purifier. */
const PURIFYING: readonly string[] = ['tStar', 'steps', 'variance']

const numbers = (text: string, before: readonly number[] = []): number[] => [...before, number(text)]

/** The purifier options if one is wanted. @throws UsageError when only a part of them is given */
const purifierOptions = (o: Options, command: Command): PurifierOptions | null => {
  const unused = command.options.find(
    option => PURIFYING.includes(option.attributeName()) && command.getOptionValueSource(option.attributeName()) === 'cli',
  )
  if (unused && o.purify === undefined && o.purifier === undefined)
    throw new UsageError(`${unused.long} is given without --purify`, 'add --purify ddpm and --purifier, or leave it away')
  if (o.purify !== undefined && o.purifier === undefined)
    throw new UsageError(`--purify ${o.purify} has no model`, 'name its folder, or its name on the hub, with --purifier')
  if (o.purifier !== undefined && o.purify === undefined) throw new UsageError('--purifier is given without --purify', 'add --purify ddpm')
  return o.purify === undefined ? null : (o as Options & PurifierOptions)
}

/** The options that decide the result. */
const reported = (
  { json, quiet, purify, purifier, tStar, steps, variance, seed, ...rest }: Options,
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

const evaluate = async (o: Options, command: Command): Promise<void> => {
  const wanted = purifierOptions(o, command)
  if (o.download && o.data.length > 0) throw new UsageError('--download and --data exclude each other', 'give one of them')
  const silent = Boolean(o.json || o.quiet)
  const fetching = { progress: (p: ProgressOptions) => createProgress({ ...p, silent: p.silent || silent }) }
  const { purifiedClassifier, undefended } = await import('../../algorithms/evaluation/defence.ts')
  const { useBackend } = await import('../../core/index.ts')
  const { checkFit, knownSides } = await import('./checkFit.ts')
  const { evaluateClean } = await import('./evaluateClean.ts')
  const { loadWeights } = await import('./loadWeights.ts')
  const { checkNormalisation, normalisedClassifier } = await import('./normalised.ts')
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
  const model = wanted && (await (await import('../fetch/modelFolder.ts')).modelFolder(wanted.purifier, fetching))
  const defence = model
    ? purifiedClassifier((await import('./purifier.ts')).loadPurifier({ ...wanted, purifier: model.folder }, data), classifier)
    : undefended(classifier)
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

/** `evaluate`: the accuracy of a published classifier, with or without a purifier in front. */
export const evaluateCommand = (): Command =>
  new Command('evaluate')
    .description('accuracy of a published classifier on a data set, with or without a purifier in front')
    .requiredOption('--arch <name>', architectureNames().join('; '))
    .requiredOption('--checkpoint <file>', 'safetensors or PyTorch file')
    .addOption(new Option('--dataset <name>', 'kind of data').choices(Object.keys(DATASETS)).default('cifar10'))
    .option('--data <files...>', 'files of the data set', [])
    .option('--download', `fetch the official data set once and keep it in the cache folder (${remoteNames.join(', ')})`)
    .option('--classes <n>', 'classes the classifier knows (default: those of the data set)', wholeNumber(2))
    .option('--state-dict <key>', 'where the state dict lies in a PyTorch file, if not in the usual places')
    .option('--whole-module', 'take the parameters of a PyTorch file that holds a whole module; its code is never run')
    .addOption(
      new Option('--split <part>', 'part of an archive, a folder of pictures or the digits').choices(['test', 'train']).default('test'),
    )
    .option('--resize <pixels>', 'bring the shorter side of each picture to this length (imagenet: 256)', wholeNumber(1))
    .option('--crop <pixels>', 'cut this square out of the middle (imagenet: 224)', wholeNumber(1))
    .option('--limit <n>', 'take n images only: the first, or of a folder of pictures evenly spaced ones', wholeNumber(1))
    .option('--batch <n>', 'images at a time', wholeNumber(1), 64)
    .option('--mean <numbers...>', 'subtracted from pixels in [0,1], per channel (default: as the architecture expects)', numbers)
    .option('--std <numbers...>', 'divides them then', numbers)
    .addOption(new Option('--purify <process>', 'purify images first, by this reverse process').choices(['ddpm', 'ddim']))
    .option(
      '--purifier <model>',
      'folder with config.json and weights of the diffusion model, as diffusers saves them, or its name on the Hugging Face hub (owner/name): fetched once, checked, and kept in the cache folder (DBP_CACHE)',
    )
    .option('--t-star <share>', 'share of the diffusion time to which images are noised', number, 0.1)
    .option('--steps <n>', 'reverse steps from there', wholeNumber(1), 100)
    .addOption(new Option('--variance <kind>', 'of the DDPM steps').choices(['fixedLarge', 'fixedSmall']).default('fixedLarge'))
    .option('--seed <n>', 'seed of the noise', wholeNumber(0), 0)
    .addOption(new Option('--backend <name>', 'what computes').choices(runBackends).default('cpu'))
    .option('--json', 'print the result, its options and what it was computed with as JSON')
    .option('--quiet', 'no progress bar')
    .addHelpText(
      'after',
      `
Files of each data set:
${Object.entries(DATASETS)
  .map(([name, { files }]) => `  ${name.padEnd(17)} ${files}`)
  .join('\n')}

Examples:
  npm run evaluate -- --arch resnet20 --checkpoint resnet20-12fca82f.th --data test_batch.bin
  npm run evaluate -- --arch resnet18 --checkpoint ckpt.pth --data test_batch.bin --limit 1000 --json
  npm run evaluate -- --arch wrn-28-10 --checkpoint wrn.pt --data test_batch.bin --purify ddpm --purifier google/ddpm-cifar10-32 --steps 10`,
    )
    .action(evaluate)
