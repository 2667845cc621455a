import { FileError, oneLine } from '../../core/io/fileError.ts'
import { MemoryError } from '../../core/memoryError.ts'

/** The exit codes of the command line: 70 is `EX_SOFTWARE`, 130 is 128 + SIGINT, as shells have it. */
export const EXIT = { ok: 0, failure: 1, usage: 2, unexpected: 70, interrupted: 130 } as const

/** Something the user can put right: shown as one line, what is wrong and what to do, without a stack. */
export class UserError extends Error {
  override readonly name: string = 'UserError'
  readonly exitCode: number

  constructor(
    what: string,
    remedy: string,
    { exitCode = EXIT.failure, cause }: { readonly exitCode?: number; readonly cause?: unknown } = {},
  ) {
    super(oneLine(`${what}; ${remedy}`), { cause })
    this.exitCode = exitCode
  }
}

/** A command line that cannot be obeyed: an unknown option, a value out of range. */
export class UsageError extends UserError {
  override readonly name = 'UsageError'

  constructor(what: string, remedy: string) {
    super(what, remedy, { exitCode: EXIT.usage })
  }
}

/** commander has printed its own message (an unknown option, or the help that was asked for) when it throws this. */
const isCommanderError = (error: unknown): error is Error & { exitCode: number } =>
  error instanceof Error && 'code' in error && String(error.code).startsWith('commander.') && 'exitCode' in error

/** A standard stream that is sent to a file, or is a terminal that is gone: files that have a name are refused by it. */
const isOutputError = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && 'syscall' in error && error.syscall === 'write' && !('path' in error)

/** What to print for an error, and the exit code to end with. */
export const describeFailure = (error: unknown): { readonly text: string; readonly exitCode: number } => {
  if (isCommanderError(error)) return { text: '', exitCode: error.exitCode === 0 ? EXIT.ok : EXIT.usage }
  if (error instanceof UserError) return { text: `${error.message}\n`, exitCode: error.exitCode }
  if (error instanceof FileError || error instanceof MemoryError) return { text: `${error.message}\n`, exitCode: EXIT.failure }
  if (isOutputError(error))
    return { text: `writing the output failed: ${error.message}; free space or send it elsewhere\n`, exitCode: EXIT.failure }
  const stack = error instanceof Error ? (error.stack ?? String(error)) : `thrown value: ${String(error)}`
  const hint = 'This is a bug in this program, not in your input: please report the lines above and the command that led to them.'
  return { text: `${stack}\n${hint}\n`, exitCode: EXIT.unexpected }
}

/**
 * Runs a program's main function and ends the process by the rules above. `main` may return an exit code of its own.
 * Errors that escape it, in a timer or an unawaited promise, are treated alike.
 */
export const runMain = async (main: () => Promise<number | undefined> | Promise<void>): Promise<void> => {
  const fail = (error: unknown): void => {
    const { text, exitCode } = describeFailure(error)
    // Not before the text is out: a pipe may still hold it. Exiting also ends worker threads that would wait for ever.
    process.stderr.write(text, () => process.exit(exitCode))
  }
  process.on('uncaughtException', fail)
  // Messages that nobody reads any more (`2>&1 | head`) are no reason to give up what was computed.
  process.stderr.on('error', () => {})
  // The reader of a pipe may leave early (`| head`): that is no error.
  process.stdout.on('error', error => ((error as NodeJS.ErrnoException).code === 'EPIPE' ? process.exit(EXIT.ok) : fail(error)))
  try {
    process.exitCode = (await main()) ?? EXIT.ok
  } catch (error) {
    fail(error)
  }
}
