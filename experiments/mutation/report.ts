import type { FaultOutcome } from './checkFault.ts'
import type { Fault } from './fault.ts'

/** One entry of runs/mutation.json. */
export interface MutationEntry extends Pick<Fault, 'id' | 'file' | 'description' | 'place'> {
  /** `spec file > test`; empty when no spec noticed the fault. */
  readonly killedBy: readonly string[]
  readonly seconds: number
}

export const mutationEntries = (faults: readonly Fault[], outcomes: readonly FaultOutcome[]): MutationEntry[] =>
  faults.map(({ id, file, description, place }, i) => {
    const { killedBy, seconds } = outcomes[i]!
    return { id, file, description, place, killedBy, seconds }
  })

/** One line per fault: whether it was noticed, and by what. */
export const mutationTable = (faults: readonly Fault[], outcomes: readonly FaultOutcome[]): string => {
  const width = Math.max(...faults.map(({ id }) => id.length))
  const lines = faults.map(({ id, description }, i) => {
    const { killedBy, problem } = outcomes[i]!
    const found = problem ? `PROBLEM: ${problem}` : (killedBy[0] ?? 'SURVIVED')
    return `${id.padEnd(width)}  ${description}\n${' '.repeat(width)}  ${found}`
  })
  return `${lines.join('\n')}\n`
}

/** What is amiss, one line each; empty when every fault was noticed. */
export const mutationProblems = (faults: readonly Fault[], outcomes: readonly FaultOutcome[]): string[] =>
  faults.flatMap(({ id, file, description, specs }, i) => {
    const { killedBy, problem } = outcomes[i]!
    if (problem) return [`fault ${id} in ${file} could not be checked: ${problem}`]
    return killedBy.length > 0 ? [] : [`fault ${id} in ${file} survives ${specs.join(', ')}: ${description}`]
  })
