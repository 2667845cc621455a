import { type Command, type Dispatch, lateError, type WebgpuArray } from './commands.ts'

/** Fails the results where an input has failed or the pipeline could not be built; whether it can run. */
const carryDispatch = ({ built, inputs, outputs, origin }: Dispatch): boolean => {
  const failure =
    [...inputs, ...outputs].find(array => array.failure)?.failure ??
    (built.failure === undefined ? undefined : lateError(origin, built.failure))
  for (const output of outputs) output.failure ??= failure
  return failure === undefined
}

/** Passes failures on from what a command reads to what it writes; whether the command can run. */
export const carryFailures = (command: Command): boolean => {
  if (command.kind === 'dispatch') return carryDispatch(command)
  if (command.kind === 'replay') {
    const failure = command.inputs.find(input => input.failure)?.failure
    for (const result of command.results) result.failure = failure
  }
  if (command.kind === 'copies') for (const { from, to } of command.copies) to.failure = from.failure
  return true
}

const outputsOf = (command: Command): readonly WebgpuArray[] => {
  if (command.kind === 'dispatch') return command.outputs
  if (command.kind === 'replay') return command.results
  return command.kind === 'copies' ? command.copies.map(({ to }) => to) : []
}

/** Commands that were submitted together, and why nothing of them was run. */
export interface Submission {
  readonly batch: readonly Command[]
  error?: Error
  /** Whether it is known if it was refused. */
  over: boolean
}

/** Does so once more when a failure has become known late, and fails all results of refused submissions, in their order. */
export const carryLateFailures = (submissions: readonly Submission[]): void => {
  for (const { batch, error } of submissions) {
    for (const command of batch) {
      carryFailures(command)
      if (error) for (const output of outputsOf(command)) output.failure ??= error
    }
  }
}
