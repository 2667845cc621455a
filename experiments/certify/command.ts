import { Command, Option } from 'commander'
import { number, wholeNumber } from '../cli/arguments.ts'
import { shippedWeights } from '../digits/shippedWeights.ts'
import { presentBackend, type RunBackend, runBackends } from '../gpu/presentBackend.ts'
import { grid } from '../report/grid.ts'
import { UsageError } from '../support/errors.ts'
import { collectProvenance } from '../support/provenance.ts'
import type { CertifiedRow } from './certify.ts'

interface Options {
  readonly models: string[]
  readonly weights: string[]
  readonly sigma: number
  readonly images: number
  readonly samples: number
  readonly selection: number
  readonly alpha: number
  readonly seed: number
  readonly backend: RunBackend
  readonly json?: boolean
  readonly quiet?: boolean
}

/** Radii of the table, in units of sigma. */
const relativeRadii = [0.25, 0.5, 1, 1.5]

const percent = (share: number): string => (100 * share).toFixed(1)

const format = (rows: readonly CertifiedRow[], radii: readonly number[]): string =>
  grid([
    ['smoothed classifier', 'l_2 radius 0', ...radii.map(radius => radius.toFixed(3)), 'abstains'],
    ...rows.map(({ defence, accuracy, abstained }) => [defence, ...accuracy.map(percent), percent(abstained)]),
  ])

/** @throws UsageError */
const checkOptions = ({ sigma, alpha, images }: Options): void => {
  if (!(sigma > 0 && sigma <= 8)) throw new UsageError(`--sigma is ${sigma}`, 'use a number above 0 and at most 8, in pixels of [0,1]')
  if (!(alpha > 0 && alpha < 1)) throw new UsageError(`--alpha is ${alpha}`, 'use a number between 0 and 1, such as 0.001')
  if (images > 500) throw new UsageError(`--images is ${images}`, 'use at most 500, the number of test digits')
}

const run = async ({ json, quiet, ...o }: Options): Promise<void> => {
  checkOptions(o)
  const backend = await presentBackend(o.backend)
  const { useBackend } = await import('../../core/index.ts')
  const { checkWeights } = await import('../dwBox/checkWeights.ts')
  const { createProgress } = await import('../support/progress.ts')
  const { certifiedCount, certifyDigits } = await import('./certify.ts')
  checkWeights(o.weights, o.models)
  await useBackend(backend)
  const total = certifiedCount(o.models) * o.images
  const progress = createProgress({ label: 'certifying', total, unit: 'images', silent: Boolean(json || quiet) })
  const radii = relativeRadii.map(radius => radius * o.sigma)
  try {
    const onImages = (images: number, note: string): void => progress.advance(images, note)
    const rows = await certifyDigits({ ...o, folders: o.weights, radii, onImages })
    progress.finish()
    const report = { rows, radii: [0, ...radii], options: o, provenance: collectProvenance({ seed: o.seed, backend }) }
    process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : format(rows, radii))
  } finally {
    progress.stop()
  }
}

/** `certify`: certified accuracy by randomised smoothing, with and without a denoiser. */
export const certifyCommand = (): Command =>
  new Command('certify')
    .description(
      'certified accuracy by randomised smoothing (Cohen et al. 2019): classifier alone, behind plain denoisers, behind diffusion',
    )
    .option('--models <names...>', 'weights of diffusion models that denoise in one step', ['vanilla', 'addt-scaled'])
    .addOption(
      new Option('--weights <folders...>', 'folders searched for weights').default([shippedWeights], 'those that come with the project'),
    )
    .option('--sigma <deviation>', 'of the noise, pixels in [0,1]', number, 0.25)
    .option('--images <n>', 'test images, at most 500', wholeNumber(1), 64)
    .option('--samples <n>', 'noises per image; the largest radius is sigma Phi^-1(alpha^(1/n))', wholeNumber(1), 200)
    .option('--selection <n>', 'other noises that guess the class', wholeNumber(1), 30)
    .option('--alpha <probability>', 'that a certificate is wrong', number, 0.001)
    .option('--seed <n>', 'seed of the noise', wholeNumber(0), 0)
    .addOption(new Option('--backend <name>', 'what computes').choices(runBackends).default('cpu'))
    .option('--json', 'print every certificate, the options and what it was computed with as JSON')
    .option('--quiet', 'no progress bar')
    .addHelpText(
      'after',
      `
Examples:
  npm run certify
  npm run certify -- --sigma 0.5 --samples 1000 --images 200
  npm run certify -- --models base vanilla addt-paper addt-scaled --json`,
    )
    .action(run)
