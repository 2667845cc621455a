import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import type { AuditResults } from '../dwBox/results.ts'
import { committedResults } from '../quirks/measured.ts'
import type { QuirkResults } from '../quirks/results.ts'
import { UserError } from '../support/errors.ts'
import type { Kill } from './sections/killTable.ts'

const outcomes = z.array(z.string())
const provenance = z.looseObject({ time: z.string(), git: z.looseObject({ commit: z.string() }).nullable() })

/** As much of each file as the audit reads. */
const runSchema = z.looseObject({
  id: z.string(),
  command: z.string(),
  provenance,
  options: z.record(z.string(), z.unknown()),
  rows: z.array(
    z.looseObject({
      label: z.string(),
      variation: z.string(),
      settings: z.array(
        z.looseObject({
          setting: z.string(),
          robust: z.looseObject({ mean: z.number(), images: z.number(), draws: z.number() }),
          imageIds: z.array(z.number()),
          robustOutcomes: outcomes,
        }),
      ),
    }),
  ),
})

const quirksSchema = z.looseObject({
  command: z.string(),
  provenance,
  options: z.record(z.string(), z.union([z.string(), z.number()])),
  ties: z.object({ images: z.number(), tied: z.number(), pixels: z.number() }),
  arms: z.record(z.string(), z.looseObject({ imageIds: z.array(z.number()), robustOutcomes: outcomes })),
})

const killsSchema = z.array(
  z
    .looseObject({
      fault: z.string().optional(),
      id: z.string().optional(),
      file: z.string(),
      description: z.string(),
      killedBy: z.array(z.string()),
      seconds: z.number(),
    })
    .transform(({ id = '', fault = id, file, description, killedBy, seconds }) => ({ fault, file, description, killedBy, seconds })),
)

/** The JSON of a file, checked; undefined when there is no such file. @throws UserError when it holds something else */
const readJson = <T>(path: string, schema: z.ZodType, remedy: string): T | undefined => {
  if (!existsSync(path)) return undefined
  try {
    return schema.parse(JSON.parse(readFileSync(path, 'utf8'))) as T
  } catch (cause) {
    throw new UserError(`audit: ${path} does not hold what it should`, remedy, { cause })
  }
}

/** The last finished run of `npm start` in the folder of runs: the results.json written last; undefined without one. */
export const lastRun = (runs: string): AuditResults | undefined => {
  if (!existsSync(runs)) return undefined
  const last = readdirSync(runs)
    .map(name => join(runs, name, 'results.json'))
    .filter(path => existsSync(path) && isRun(path))
    .map(path => ({ path, time: statSync(path).mtimeMs }))
    .sort((a, b) => b.time - a.time)[0]
  return last && readJson<AuditResults>(last.path, runSchema, 'delete the run, or make it again with npm start')
}

/** Other commands keep results.json in the folder of runs too. */
const isRun = (path: string): boolean => {
  try {
    return Array.isArray(JSON.parse(readFileSync(path, 'utf8')).rows)
  } catch {
    return true
  }
}

/** The last measurement of `npm run quirks`, else the one that comes with the project. */
export const quirkResults = (runs: string): QuirkResults | undefined => {
  const remedy = 'delete it, or make it again with npm run quirks'
  return readJson<QuirkResults>(join(runs, 'quirks.json'), quirksSchema, remedy) ?? readJson(committedResults, quirksSchema, remedy)
}

/** What the mutation check found. */
export const mutationResults = (runs: string): Kill[] | undefined =>
  readJson(join(runs, 'mutation.json'), killsSchema, 'delete it, or make it again with npm run audit -- --mutate')
