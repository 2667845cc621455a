import { Command, Option } from 'commander'
import { number, wholeNumber } from '../cli/arguments.ts'
import { shippedWeights } from '../digits/shippedWeights.ts'
import { presentBackend, type RunBackend, runBackends } from '../gpu/presentBackend.ts'
import { UsageError } from '../support/errors.ts'
import { collectProvenance } from '../support/provenance.ts'

interface Options {
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
const checkOptions = async ({ images, tStar, steps, sampleSteps }: Options): Promise<void> => {
  if (images > 500) throw new UsageError(`--images is ${images}`, 'use at most 500, the number of test digits')
  const { paperTimesteps } = await import('../../algorithms/purification/timesteps.ts')
  const { processNames, processSteps } = await import('../dwBox/process.ts')
  try {
    for (const reverse of processNames) processSteps({ reverse, tStar, reverseSteps: steps })
    paperTimesteps({ tStar: 1, steps: sampleSteps })
  } catch (cause) {
    throw new UsageError((cause as Error).message, 'see npm run quality -- --help')
  }
}

const run = async ({ json, quiet, ...o }: Options): Promise<void> => {
  await checkOptions(o)
  const backend = await presentBackend(o.backend)
  const { useBackend } = await import('../../core/index.ts')
  const { findWeights } = await import('../digits/weights.ts')
  const { checkWeights } = await import('../dwBox/checkWeights.ts')
  const { processNames } = await import('../dwBox/process.ts')
  const { batchOf } = await import('../dwBox/runUnit.ts')
  const { createProgress } = await import('../support/progress.ts')
  const { purificationCosts } = await import('./cost.ts')
  const { formatQuality } = await import('./format.ts')
  const { measureQuality } = await import('./quality.ts')
  checkWeights(o.weights, o.models)
  await useBackend(backend)
  const extractor = o.inception === undefined ? undefined : (await import('./extractors.ts')).inceptionExtractor(o.inception)
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

/** `quality`: how good purified and sampled images are, and what purification costs. */
export const qualityCommand = (): Command =>
  new Command('quality')
    .description('image quality of the diffusion models (FID, inception score, distances to the originals), and the cost of purification')
    .option('--models <names...>', 'weights to compare', ['base', 'vanilla', 'addt-paper', 'addt-scaled'])
    .addOption(
      new Option('--weights <folders...>', 'folders searched for weights').default([shippedWeights], 'those that come with the project'),
    )
    .option('--images <n>', 'images of each set, at most 500; FID falls with their number', wholeNumber(65), 500)
    .option('--t-star <share>', 'share of the diffusion time at which purification starts', number, 0.15)
    .option('--steps <n>', 'reverse steps of the purifier', wholeNumber(1), 5)
    .addOption(new Option('--sampler <process>', 'reverse process from pure noise').choices(['ddpm', 'ddim']).default('ddim'))
    .option('--sample-steps <n>', 'reverse steps from pure noise', wholeNumber(1), 50)
    .option('--inception <file>', "weights of InceptionV3 (torchvision's names, as pytorch-fid's file has them): FID over its features")
    .option('--seed <n>', 'seed of the noise', wholeNumber(0), 0)
    .addOption(new Option('--backend <name>', 'what computes').choices(runBackends).default('cpu'))
    .option('--json', 'print the result, its options and what it was computed with as JSON')
    .option('--quiet', 'no progress bar')
    .addHelpText(
      'after',
      `
FID is against the 1,297 training digits, over the penultimate features of the digits classifier, or with --inception those of
InceptionV3, and over the pixels. Published numbers are over 2,048 features of one InceptionV3 and 50,000 images.
Fine-tunings saw low timesteps only; when sampling, base takes the others.

Examples:
  npm run quality
  npm run quality -- --models vanilla addt-scaled linf --weights experiments/digits/weights runs/train-digits   linf by train --only linf
  npm run quality -- --sampler ddpm --sample-steps 1000 --images 200 --json`,
    )
    .action(run)
