import { z } from 'zod'
import { attackNames } from '../../algorithms/attacks/presets.ts'
import { linearSchedule } from '../../algorithms/diffusion/schedule.ts'
import { runBackends } from '../gpu/presentBackend.ts'
import { readingNames, readings } from '../quirks/readings.ts'
import { UsageError } from '../support/errors.ts'
import { planRows } from './plan.ts'
import { adjointProcesses, discreteProcesses, type ProcessName, processNames } from './process.ts'

const wholeNumber = (least: number, most = Number.MAX_SAFE_INTEGER): z.ZodNumber => z.number().int().min(least).max(most)
const between = (least: number, most?: number): string =>
  most === undefined ? `a whole number of at least ${least}` : `a whole number from ${least} to ${most}`

/** What an attack takes for the gradient of a purifier; see attackView.ts. */
const gradientNames = ['exact', 'adjoint', 'surrogate', 'bpda'] as const
export type GradientName = (typeof gradientNames)[number]

/** The options that decide the numbers of a run, with the defaults of the digits preset and the rule of each in words. */
export const auditOptions = z.object({
  preset: z.literal('digits').default('digits').describe('digits'),
  /** Of every draw of attack and report. Training has its own. */
  seed: wholeNumber(0).default(0).describe(between(0)),
  /** Test images for settings in which something stays random, and for deterministic ones. An interval needs two. */
  images: wholeNumber(2, 500).default(128).describe(between(2, 500)),
  /** Test images where half of the noise is known (DW_Fwd, DW_Rev). */
  imagesPartial: wholeNumber(2, 500).default(64).describe(between(2, 500)),
  imagesDeterministic: wholeNumber(2, 500).default(256).describe(between(2, 500)),
  /** Another attack than the paper's; left out, it is PGD and nothing else changes. */
  attack: z.enum(attackNames).optional().describe(attackNames.join(', ')),
  /** Another gradient than the exact one; left out, it is the attack's own. */
  gradient: z.enum(gradientNames).optional().describe(gradientNames.join(', ')),
  /** The reverse process of every purifier; left out, it is DDPM, with a row for DDIM. */
  process: z.enum(processNames).optional().describe(processNames.join(', ')),
  /** Of what the published scripts do otherwise than the paper says; left out, the paper's. */
  reading: z.enum(readingNames).optional().describe(readingNames.join(', ')),
  norm: z.enum(['linf', 'l2']).default('linf').describe('linf or l2'),
  /** Radius of the attack, pixels in [0,1]; steps are a quarter of it. No two images of 64 pixels are farther apart than 8. */
  epsilon: z.number().min(0).max(8).default(0.15).describe('a number from 0 to 8 (pixels lie in [0,1])'),
  steps: wholeNumber(0).default(20).describe(between(0)),
  eotSamples: wholeNumber(1).default(5).describe(between(1)),
  /** Share of the diffusion time to which images are noised, and the reverse steps from there. */
  tStar: z.number().gt(0).max(1).default(0.15).describe('a number above 0 and at most 1'),
  reverseSteps: wholeNumber(1, 1000).default(5).describe(between(1, 1000)),
  /** Fresh draws on which each image is judged. */
  reportDraws: wholeNumber(1, 1000).default(10).describe(between(1, 1000)),
  backend: z.enum(runBackends).default('cpu').describe('cpu, reference, gpu or gpu:<mode>'),
  full: z.boolean().default(false).describe('it without a value'),
})

export type AuditOptions = Readonly<z.infer<typeof auditOptions>>

const flagOf = (name: string): string => `--${name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)}`

/** Checks options from the command line; the first fault becomes one line. @throws UsageError */
export const parseOptions = <S extends z.ZodObject>(schema: S, given: Record<string, unknown>): z.infer<S> => {
  const result = schema.strict().safeParse(given)
  if (!result.success) {
    const issue = result.error.issues[0]!
    const name = issue.code === 'unrecognized_keys' ? issue.keys[0]! : String(issue.path[0])
    const field = (schema.shape as Readonly<Record<string, { readonly description?: string } | undefined>>)[name]
    if (!field) throw new UsageError(`there is no option ${flagOf(name)}`, 'see --help')
    throw new UsageError(`${flagOf(name)} is ${JSON.stringify(given[name])}`, `use ${field.description}`)
  }
  return result.data as z.infer<S>
}

/** @throws UsageError */
export const parseAuditOptions = (given: Record<string, unknown>): AuditOptions => {
  const parsed = parseOptions(auditOptions, given)
  // A reading has its own number of report draws; one that is asked for stands.
  const options =
    parsed.reading && given.reportDraws === undefined ? { ...parsed, reportDraws: readings[parsed.reading].reportDraws } : parsed
  if (options.gradient === 'adjoint') assertProcess('--gradient adjoint', adjointProcesses, options)
  if (options.attack === 'diffattack') assertProcess('--attack diffattack', discreteProcesses, options)
  if (options.reading === 'faithful') assertProcess('--reading faithful', discreteProcesses, options)
  assertStepsFit(options)
  return options
}

/** What fits some processes only cannot be asked of a run with rows of others. */
const assertProcess = (flag: string, fitting: readonly ProcessName[], { full, process = 'ddpm' }: AuditOptions): void => {
  const change = fitting.includes(process) ? '' : `use --process ${fitting[0]}`
  const what = `${flag} fits ${fitting.join(', ')} only`
  if (full)
    throw new UsageError(`${what}, and --full has rows of all processes`, ['leave out --full', change].filter(Boolean).join(' and '))
  if (change) throw new UsageError(what, change)
}

/** Every purifier of the plan needs a timestep for each of its reverse steps. */
const assertStepsFit = (o: AuditOptions): void => {
  // Of one step, which always fits.
  const tStar = Math.min(...planRows({ ...o, reverseSteps: 1 }).map(({ defence }) => defence.tStar))
  const timesteps = Math.round(tStar * linearSchedule().timesteps)
  if (o.reverseSteps > timesteps)
    throw new UsageError(
      `--reverse-steps is ${o.reverseSteps}, but there are only ${timesteps} timesteps up to t* = ${tStar}`,
      'take fewer reverse steps or a larger --t-star',
    )
}
