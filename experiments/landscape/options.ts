import { z } from 'zod'
import { splitDigits } from '../data/digits.ts'
import { auditOptions, parseAuditOptions, parseOptions } from '../dwBox/options.ts'
import { planRows, type RowSpec, type Unit } from '../dwBox/plan.ts'
import { evaluationsPerGradient } from './work.ts'

/** Where the loss of a landscape is taken. */
export interface LandscapeGrid {
  /** Points along either axis. */
  readonly points: number
  /** Ends of both axes, in lengths of the longest perturbation of the attack. */
  readonly radius: number
  /** Noises that are averaged where none is known. */
  readonly worlds: number
}

/** The options that decide a landscape: those of the audit that matter, and the grid. */
const landscapeOptions = auditOptions
  .pick({
    seed: true,
    process: true,
    norm: true,
    epsilon: true,
    steps: true,
    eotSamples: true,
    tStar: true,
    reverseSteps: true,
    backend: true,
  })
  .extend({
    images: z.number().int().min(1).max(100).default(4).describe('a whole number from 1 to 100'),
    /** Fine-tuning of the diffusion model. */
    model: z.enum(['vanilla', 'addt-paper', 'addt-scaled']).default('vanilla').describe('vanilla, addt-paper or addt-scaled'),
    points: z.number().int().min(3).max(201).default(25).describe('a whole number from 3 to 201'),
    radius: z.number().gt(0).max(100).default(1.5).describe('a number above 0 and at most 100'),
    worlds: z.number().int().min(1).max(1000).default(8).describe('a whole number from 1 to 1000'),
  })

export type LandscapeOptions = Readonly<z.infer<typeof landscapeOptions>>

/** @throws UsageError */
export const parseLandscapeOptions = (given: Record<string, unknown>): LandscapeOptions => {
  const options = parseOptions(landscapeOptions, given)
  rowOf(options)
  return options
}

/** The purifier and the attack whose surroundings are looked at: a row of the audit. */
export const rowOf = (o: LandscapeOptions): RowSpec => {
  const { images: _, model, points: _points, radius: _radius, worlds: _worlds, ...shared } = o
  const rows = planRows(parseAuditOptions(shared))
  return rows.find(({ id }) => id === `${o.process ?? 'ddpm'}-${model}`)!
}

/** One unit of work per image: its attacks, and the surfaces of three planes with known and with averaged noise. */
export const planLandscape = (o: LandscapeOptions): Unit[] => {
  const row = rowOf(o)
  const white = row.settings.find(({ name }) => name === 'White')!
  return [...splitDigits().test.slice(0, o.images)].map(imageId => ({
    kind: 'landscape',
    key: `landscape/${row.id}/${imageId}`,
    row,
    setting: white,
    imageIds: [imageId],
    seed: o.seed,
    grid: { points: o.points, radius: o.radius, worlds: o.worlds },
    work: evaluationsPerGradient * row.attack.steps * (2 * white.eotSamples + 3) + 3 * o.points ** 2 * (1 + o.worlds),
  }))
}
