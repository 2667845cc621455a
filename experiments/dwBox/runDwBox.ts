import { commandLine } from '../cli/commandLine.ts'
import { shippedWeights } from '../digits/shippedWeights.ts'
import { presentBackend } from '../gpu/presentBackend.ts'
import { renderTable } from '../report/terminalTable.ts'
import { watchInterrupt } from '../support/interrupt.ts'
import { attackCounts } from './attackCounts.ts'
import { runAudit } from './audit.ts'
import { makeFullWeights } from './fullWeights.ts'
import type { AuditOptions } from './options.ts'

/** What the command line gives beside the options that decide the numbers. */
export interface DwBoxCall {
  readonly workers: number
  /** Folders searched for weights; default: those that come with the project. */
  readonly weights?: readonly string[]
  readonly out: string
  readonly id?: string
  readonly json?: boolean
  readonly quiet?: boolean
  /** The deciding options as they were given, for the command lines that repeat and continue the run. */
  readonly given: Readonly<Record<string, unknown>>
}

/**
 * Trains the networks that `full` needs besides, runs the audit and prints its table.
 * @throws UserError and FileError when the backend, weights or the run's folder cannot be used, InterruptedError
 */
export const runDwBox = async (asked: AuditOptions, { workers, weights, out, id, json, quiet, given }: DwBoxCall): Promise<void> => {
  const paths = ['weights', 'out']
  const silent = Boolean(quiet || json)
  const options = { ...asked, backend: await presentBackend(asked.backend) }
  const folders = weights ?? [shippedWeights]
  const more: string[] = []
  if (options.full) {
    const interrupt = watchInterrupt({ resumeCommand: commandLine('start', { ...given, weights, out, id }, { paths }) })
    try {
      more.push(...(await makeFullWeights({ out, weights: folders, workers, quiet: silent, interrupt })))
    } finally {
      interrupt.dispose()
    }
  }
  const { results, folder } = await runAudit({
    options,
    out,
    id,
    workers,
    quiet: silent,
    weights: [...folders, ...more],
    command: commandLine('start', { ...given, weights }, { paths }),
    resumeCommand: runId => commandLine('start', { ...given, weights, out, id: runId }, { paths }),
    interrupt: resumeCommand => watchInterrupt({ resumeCommand }),
  })
  if (json) {
    process.stdout.write(`${JSON.stringify(results, null, 2)}\n`)
    return
  }
  const color = process.stdout.isTTY === true && !process.env.NO_COLOR
  const files = { results: `${folder}/results.json`, report: `${folder}/report.html` }
  process.stdout.write(`${renderTable(results, { color, width: process.stdout.columns ?? 120, paths: files })}\n`)
  for (const line of attackCounts(results)) process.stdout.write(`${line}\n`)
}
