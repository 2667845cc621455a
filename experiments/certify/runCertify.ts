import { useBackend } from '../../core/index.ts'
import { checkWeights } from '../dwBox/checkWeights.ts'
import { presentBackend, type RunBackend } from '../gpu/presentBackend.ts'
import { grid } from '../report/grid.ts'
import { UsageError } from '../support/errors.ts'
import { createProgress } from '../support/progress.ts'
import { collectProvenance } from '../support/provenance.ts'
import { type CertifiedRow, type CertifySettings, certifiedCount, certifyDigits } from './certify.ts'

/** What the command line gives. */
export interface CertifyCall extends CertifySettings {
  readonly models: string[]
  readonly weights: string[]
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
const checkOptions = ({ sigma, alpha }: CertifyCall): void => {
  if (!(sigma > 0 && sigma <= 8)) throw new UsageError(`--sigma is ${sigma}`, 'use a number above 0 and at most 8, in pixels of [0,1]')
  if (!(alpha > 0 && alpha < 1)) throw new UsageError(`--alpha is ${alpha}`, 'use a number between 0 and 1, such as 0.001')
}

/**
 * Certifies and prints what the command line asks for.
 * @throws UsageError, UserError and FileError before any work, when options do not fit or weights are missing or damaged
 */
export const runCertify = async ({ json, quiet, ...o }: CertifyCall): Promise<void> => {
  checkOptions(o)
  const backend = await presentBackend(o.backend)
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
