import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { watchInterrupt } from '../support/interrupt.ts'
import { openJournal } from '../support/journal.ts'
import { createProgress } from '../support/progress.ts'
import { checkFaults, knownOutcomes } from './checkFaults.ts'
import { faults } from './faults/index.ts'
import { mutationEntries, mutationProblems, mutationTable } from './report.ts'

/**
 * `audit --mutate`: checks every fault, prints a table and writes runs/mutation.json. Can be interrupted and goes on where it
 * was. Returns what is amiss, one line each.
 */
export const runMutationCheck = async (root: string): Promise<string[]> => {
  const runs = join(root, 'runs')
  mkdirSync(runs, { recursive: true })
  const journal = openJournal(join(runs, 'mutation.jsonl'))
  const done = knownOutcomes(faults, { root, journal }).size
  const progress = createProgress({ label: 'faults', total: faults.length, unit: 'faults', done })
  const interrupt = watchInterrupt({ resumeCommand: 'npm run audit -- --mutate' })
  try {
    const outcomes = await checkFaults(faults, {
      root,
      journal,
      // Before the outcome is recorded: Ctrl-C reaches the running specs too, and their end then says nothing.
      onOutcome: async ({ id }, { killedBy }) => {
        await interrupt.afterUnit()
        progress.advance(1, killedBy.length > 0 ? id : `${id} not noticed`)
      },
    })
    progress.finish()
    process.stdout.write(mutationTable(faults, outcomes))
    writeFileSync(join(runs, 'mutation.json'), `${JSON.stringify(mutationEntries(faults, outcomes), null, 2)}\n`)
    return mutationProblems(faults, outcomes)
  } finally {
    progress.stop()
    interrupt.dispose()
    journal.close()
  }
}
