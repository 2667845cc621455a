import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { UserError } from '../support/errors.ts'
import type { Journal } from '../support/journal.ts'
import { checkFault, type FaultOutcome } from './checkFault.ts'
import { type Fault, splitSpecs, withFault } from './fault.ts'
import { copyProject, type ProjectCopy } from './projectCopy.ts'
import { runSpecsIn } from './runSpecsIn.ts'
import { sourceHash } from './sourceHash.ts'

export interface CheckOptions {
  /** The project's folder. Nothing in it is changed. */
  readonly root: string
  /** Outcomes found earlier; one is taken over as long as nothing that it depends on has changed. */
  readonly journal: Pick<Journal, 'entries' | 'append'>
  /** Private copies in which faults are checked at the same time. Default 2. */
  readonly copies?: number
  /** Called after each fault; may throw to stop early. */
  readonly onOutcome?: (fault: Fault, outcome: FaultOutcome) => Promise<void> | void
}

/** Outcomes of an earlier check that still hold, by the fault's id. */
export const knownOutcomes = (faults: readonly Fault[], { root, journal }: Pick<CheckOptions, 'root' | 'journal'>) =>
  new Map(
    faults.flatMap(fault => {
      const known = journal.entries.get(unitOf(root, fault)) as FaultOutcome | undefined
      return known ? [[fault.id, known] as const] : []
    }),
  )

/** A fault's name in the journal. */
const unitOf = (root: string, fault: Fault): string =>
  `${fault.id} ${sourceHash(root, [fault.file, ...splitSpecs(fault.specs).files], fault)}`

/**
 * Plants every fault in a private copy of the project and runs its specs there. The specs must pass without any fault first.
 * Outcomes in the order of the faults. Only faults that were noticed are recorded: the others are checked again next time.
 * @throws UserError when a fault's text does not occur exactly once, or a spec fails without a fault
 */
export const checkFaults = async (faults: readonly Fault[], o: CheckOptions): Promise<FaultOutcome[]> => {
  const { root, journal, copies = 2 } = o
  for (const fault of faults) withFault(readFileSync(join(root, fault.file), 'utf8'), fault)
  const outcomes = knownOutcomes(faults, o)
  const waiting = faults.filter(({ id }) => !outcomes.has(id))
  const units = new Map(waiting.map(fault => [fault.id, unitOf(root, fault)]))
  const workplaces = waiting.length > 0 ? Array.from({ length: Math.min(copies, waiting.length) }, () => copyProject(root)) : []
  try {
    if (workplaces[0]) await checkSound(workplaces[0], waiting)
    const work = async (copy: ProjectCopy): Promise<void> => {
      for (let fault = waiting.shift(); fault; fault = waiting.shift()) {
        const outcome = await checkFault(copy, fault)
        outcomes.set(fault.id, outcome)
        await o.onOutcome?.(fault, outcome)
        if (outcome.killedBy.length > 0) journal.append(units.get(fault.id)!, outcome)
      }
    }
    const ended = await Promise.allSettled(workplaces.map(work))
    for (const end of ended) if (end.status === 'rejected') throw end.reason
  } finally {
    for (const copy of workplaces) copy.remove()
  }
  return faults.map(({ id }) => outcomes.get(id)!)
}

/** @throws UserError when one of the specs fails as things are */
const checkSound = async (copy: ProjectCopy, faults: readonly Fault[]): Promise<void> => {
  const specs = [...new Set(faults.flatMap(fault => fault.specs))]
  const { results, output } = await runSpecsIn(copy.root, specs, { limitSeconds: 1800, bail: false, workers: 2 })
  const failed = results.find(({ status }) => status === 'failed')
  if (failed) throw new UserError(`mutation: "${failed.title}" fails without any fault: ${failed.message}`, `mend ${failed.file} first`)
  if (results.length === 0) throw new UserError(`mutation: no specs ran: ${output.trim()}`, 'run npx vitest run and mend what it shows')
}
