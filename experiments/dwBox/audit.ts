import { createHash } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { shippedWeights } from '../digits/shippedWeights.ts'
import { renderReport } from '../report/html/index.ts'
import type { Interrupt } from '../support/interrupt.ts'
import { createProgress } from '../support/progress.ts'
import { collectProvenance, nameOfCode } from '../support/provenance.ts'
import { openRun } from '../support/runStore.ts'
import { checkWeights } from './checkWeights.ts'
import type { AuditOptions } from './options.ts'
import { planRows, planUnits, purifiersOf, type RowSpec, type Unit } from './plan.ts'
import { runPool } from './pool.ts'
import type { AuditResults, Comparison, GalleryImage, ResultRow, Trajectory } from './results.ts'
import { compare, summariseRows } from './summary.ts'
import { claim1, claim3, lintRows } from './verdicts.ts'

export interface AuditRun {
  readonly options: AuditOptions
  /** Folder of all runs, and the id of one to begin or resume. */
  readonly out: string
  readonly id?: string
  readonly workers?: number
  readonly quiet?: boolean
  /** Folders searched for weights; default: those that come with the project. */
  readonly weights?: readonly string[]
  /** The command that repeats the run, and the one that continues it. */
  readonly command: string
  readonly resumeCommand: (id: string) => string
  readonly interrupt: (resumeCommand: string) => Interrupt
}

/**
 * The main job: measures every row of the plan, keeps each finished unit in the run's folder, and writes results.json and
 * report.html there. A run that was interrupted continues with the same id, by the same code.
 * @throws UserError and FileError before anything is written, when weights are missing or damaged
 */
export const runAudit = async (run: AuditRun): Promise<{ results: AuditResults; folder: string }> => {
  const { options, workers = availableParallelism(), quiet = false, weights = [shippedWeights] } = run
  const rows = planRows(options)
  const units = planUnits(rows, options)
  const checksums = checkWeights(weights, purifiersOf(rows))
  const provenance = collectProvenance({ seed: options.seed, backend: options.backend })
  const store = openRun({
    root: run.out,
    ...(run.id !== undefined && { id: run.id }),
    options: { ...options, code: nameOfCode(provenance), weights: combined(checksums) },
  })
  const interrupt = run.interrupt(run.resumeCommand(store.id))
  const began = Date.now()
  try {
    const left = units.filter(unit => !store.has(unit.key))
    const work = (list: readonly Unit[]): number => list.reduce((total, unit) => total + unit.work, 0)
    const progress = createProgress({
      label: 'attacking',
      total: work(units),
      done: work(units) - work(left),
      unit: 'gradients',
      silent: quiet,
    })
    try {
      await runPool(left, {
        workers,
        backend: options.backend,
        weights,
        signal: interrupt.signal,
        onWork: gradients => progress.advance(gradients),
        onResult: (unit, result) => store.put(unit.key, result),
      })
      if (units.some(unit => !store.has(unit.key))) await interrupt.afterUnit()
      progress.finish()
    } finally {
      progress.stop()
    }
    const results: AuditResults = {
      id: store.id,
      command: run.command,
      provenance,
      options: { ...options, weights: checksums },
      seconds: (Date.now() - began) / 1000,
      ...conclude(rows, units, unit => store.get(unit.key)),
    }
    store.writeJson('results.json', results)
    store.writeText('report.html', renderReport(results))
    return { results, folder: store.folder }
  } finally {
    interrupt.dispose()
    store.close()
  }
}

/** One checksum for all weights of a run, so that a message about others stays short. */
const combined = (checksums: Readonly<Record<string, string>>): string =>
  createHash('sha256').update(JSON.stringify(checksums)).digest('hex').slice(0, 16)

/** What follows from the finished units, and from nothing else. */
const conclude = (
  specs: readonly RowSpec[],
  units: readonly Unit[],
  resultOf: (unit: Unit) => unknown,
): Omit<AuditResults, 'id' | 'command' | 'provenance' | 'options' | 'seconds'> => {
  const rows = summariseRows(specs, units, resultOf)
  const comparisons = compareWithVanilla(rows)
  const main = rows.filter(({ variation }) => variation === '')
  const ofKind = <T>(kind: Unit['kind']): T[] => units.filter(unit => unit.kind === kind).flatMap(unit => resultOf(unit) as T[])
  return {
    rows,
    comparisons,
    verdicts: [...main.filter(({ label }) => label.includes('vanilla')).map(claim1), ...main.map(row => claim3(row, comparisons))].filter(
      v => v !== null,
    ),
    lints: lintRows(rows),
    trajectories: ofKind<Trajectory>('trajectory'),
    gallery: ofKind<GalleryImage>('gallery'),
  }
}

/** Every ADDT row and control against the clean fine-tuned purifier of its process that matches it, in every setting they share. */
const compareWithVanilla = (rows: readonly ResultRow[]): Comparison[] =>
  rows.flatMap(row => {
    if (!row.label.includes('ADDT')) return []
    const label = row.label.replace(/ADDT.*?(, all t)?$/, 'vanilla$1')
    const sameLabel = rows.filter(other => other.label === label)
    const vanilla =
      sameLabel.find(({ variation }) => variation === row.variation) ??
      sameLabel.find(({ variation }) => variation === '') ??
      rows.find(({ variation, label: name }) => variation === '' && name.includes('vanilla'))!
    return row.settings.flatMap(({ setting }) => compare(vanilla, row, setting) ?? [])
  })
