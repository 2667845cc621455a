import type { Fault } from './fault.ts'
import type { ProjectCopy } from './projectCopy.ts'
import { runSpecsIn, type SpecRun, unloadable } from './runSpecsIn.ts'

/** What became of a fault. */
export interface FaultOutcome {
  /** `spec file > test` of what noticed it; empty when it survived. */
  readonly killedBy: readonly string[]
  readonly seconds: number
  /** Why the check of this fault says nothing. */
  readonly problem?: string
}

/** Far more than any of the named specs takes. */
const limitSeconds = 600

/**
 * Runs the specs of a fault with it in place. Only a failed test kills it: a file that does not load, or titles that name no
 * test, show that the fault or its specs are stated wrongly.
 */
export const checkFault = async (copy: ProjectCopy, fault: Fault): Promise<FaultOutcome> => {
  const start = performance.now()
  const run = await copy.withFault(fault, () => runSpecsIn(copy.root, fault.specs, { limitSeconds, bail: true, workers: 1 }))
  const problem = problemOf(run)
  return {
    killedBy: problem ? [] : run.results.filter(({ status }) => status === 'failed').map(({ file, title }) => `${file} > ${title}`),
    seconds: Math.round((performance.now() - start) / 100) / 10,
    ...(problem && { problem }),
  }
}

const problemOf = ({ results, output, timedOut }: SpecRun): string | undefined => {
  if (timedOut) return `its specs did not end within ${limitSeconds} s`
  const broken = results.find(({ title }) => title === unloadable)
  if (broken) return `${broken.file} does not load: ${broken.message}`
  return results.length === 0 ? `none of its specs ran: ${output.trim().split('\n').at(-1) ?? 'no output'}` : undefined
}
