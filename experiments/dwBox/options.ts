import { z } from 'zod'
import { UsageError } from '../support/errors.ts'

/** The options that decide the numbers of a run, with the defaults of the digits preset. */
export const auditOptions = z.object({
  preset: z.literal('digits').default('digits'),
  /** Of every draw of attack and report. Training has its own. */
  seed: z.number().int().min(0).default(0),
  /** Test images for settings in which something stays random, and for deterministic ones. */
  images: z.number().int().min(1).max(500).default(128),
  imagesDeterministic: z.number().int().min(1).max(500).default(256),
  norm: z.enum(['linf', 'l2']).default('linf'),
  /** Radius of the attack, pixels in [0,1]; steps are a quarter of it. */
  epsilon: z.number().min(0).default(0.15),
  steps: z.number().int().min(0).default(20),
  eotSamples: z.number().int().min(1).default(5),
  /** Share of the diffusion time to which images are noised, and the reverse steps from there. */
  tStar: z.number().gt(0).max(1).default(0.15),
  reverseSteps: z.number().int().min(1).default(5),
  /** Fresh draws on which each image is judged. */
  reportDraws: z.number().int().min(1).default(10),
  backend: z.enum(['cpu', 'reference']).default('cpu'),
  full: z.boolean().default(false),
})

export type AuditOptions = Readonly<z.infer<typeof auditOptions>>

/** Checks options from the command line; the first fault becomes one line. @throws UsageError */
export const parseAuditOptions = (given: Record<string, unknown>): AuditOptions => {
  const result = auditOptions.strict().safeParse(given)
  if (result.success) return result.data
  const { path, message } = result.error.issues[0]!
  const name = path.map(part => String(part).replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)).join('.')
  throw new UsageError(`--${name}: ${message}, got ${JSON.stringify(given[String(path[0])])}`, 'see --help for the defaults')
}
