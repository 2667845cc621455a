import { shippedWeights } from '../digits/shippedWeights.ts'
import { checkWeights } from '../dwBox/checkWeights.ts'
import { purifiersOf } from '../dwBox/plan.ts'
import { runPool } from '../dwBox/pool.ts'
import type { Interrupt } from '../support/interrupt.ts'
import { createProgress } from '../support/progress.ts'
import { collectProvenance, nameOfCode } from '../support/provenance.ts'
import { openRun } from '../support/runStore.ts'
import { landscapePage } from './html/page.ts'
import { type LandscapeOptions, planLandscape, rowOf } from './options.ts'
import type { ImageLandscape, LandscapeResults } from './results.ts'
import { summarise } from './summary.ts'

export interface LandscapeRun {
  readonly options: LandscapeOptions
  /** Folder of all runs, and the id of one to begin or resume. */
  readonly out: string
  readonly id?: string
  readonly workers: number
  readonly quiet: boolean
  /** Folders searched for weights; default: those that come with the project. */
  readonly weights?: readonly string[]
  readonly command: string
  readonly resumeCommand: (id: string) => string
  readonly interrupt: (resumeCommand: string) => Interrupt
}

/**
 * Looks at the surroundings of each image, keeps each finished one in the run's folder, and writes results.json and landscape.html there.
 * A run that was interrupted continues with the same id, by the same code.
 * @throws UserError and FileError before anything is written, when weights are missing or damaged
 */
export const explore = async (run: LandscapeRun): Promise<{ results: LandscapeResults; folder: string }> => {
  const { options, weights = [shippedWeights] } = run
  const row = rowOf(options)
  const units = planLandscape(options)
  const checksums = checkWeights(weights, purifiersOf([row]))
  const provenance = collectProvenance({ seed: options.seed, backend: options.backend })
  const store = openRun({
    root: run.out,
    ...(run.id !== undefined && { id: run.id }),
    options: { ...options, code: nameOfCode(provenance), weights: checksums },
  })
  const interrupt = run.interrupt(run.resumeCommand(store.id))
  const began = Date.now()
  try {
    const total = units.reduce((sum, { work }) => sum + work, 0)
    const left = units.filter(({ key }) => !store.has(key))
    const done = total - left.reduce((sum, { work }) => sum + work, 0)
    const progress = createProgress({ label: 'looking around', total, done, unit: 'evaluations', silent: run.quiet })
    try {
      await runPool(left, {
        workers: run.workers,
        backend: options.backend,
        weights,
        signal: interrupt.signal,
        onWork: evaluations => progress.advance(evaluations),
        onResult: (unit, result) => store.put(unit.key, result),
      })
      if (units.some(({ key }) => !store.has(key))) await interrupt.afterUnit()
      progress.finish()
    } finally {
      progress.stop()
    }
    const images = units.map(({ key }) => store.get(key) as unknown as ImageLandscape)
    const results: LandscapeResults = {
      id: store.id,
      command: run.command,
      provenance,
      options: { ...options, weights: checksums },
      seconds: (Date.now() - began) / 1000,
      defence: row.label,
      images,
      summary: summarise(images),
    }
    store.writeJson('results.json', results)
    store.writeText('landscape.html', landscapePage(results).markup)
    return { results, folder: store.folder }
  } finally {
    interrupt.dispose()
    store.close()
  }
}
