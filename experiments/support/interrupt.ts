import type { EventEmitter } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import { EXIT, UserError } from './errors.ts'

/** Thrown by `afterUnit` once the user has asked to stop; everything finished so far is kept. */
export class InterruptedError extends UserError {
  override readonly name = 'InterruptedError'

  constructor(resumeCommand: string) {
    super('stopped', `what was done is kept, continue with: ${resumeCommand}`, { exitCode: EXIT.interrupted })
  }
}

export interface Interrupt {
  /** Aborted by the first Ctrl-C. */
  readonly signal: AbortSignal
  /**
   * To be awaited after each finished unit of work. It lets the event loop turn, without which Node delivers no signal
   * to a loop of synchronous kernels.
   * @throws InterruptedError when a stop was asked for
   */
  afterUnit(): Promise<void>
  /** Takes the handlers away again. */
  dispose(): void
}

export interface InterruptOptions {
  /** The command line that continues the work. */
  readonly resumeCommand: string
  /** For tests: where signals come from, and where messages and the exit code go. */
  readonly signals?: EventEmitter
  readonly write?: (text: string) => void
  readonly exit?: (code: number) => void
}

/**
 * Makes Ctrl-C (SIGINT) and SIGTERM gentle: the first lets the current unit of work finish and be recorded, the second
 * ends the process at once.
 */
export const watchInterrupt = ({
  resumeCommand,
  signals = process,
  write = text => process.stderr.write(text),
  exit = code => process.exit(code),
}: InterruptOptions): Interrupt => {
  const controller = new AbortController()
  const onSignal = (): void => {
    if (controller.signal.aborted) {
      exit(EXIT.interrupted)
      return
    }
    controller.abort()
    write('\nstopping after the current step; press Ctrl-C again to stop at once\n')
  }
  const names = ['SIGINT', 'SIGTERM']
  for (const name of names) signals.on(name, onSignal)
  return {
    signal: controller.signal,
    async afterUnit() {
      await setImmediate()
      if (controller.signal.aborted) throw new InterruptedError(resumeCommand)
    },
    dispose() {
      for (const name of names) signals.off(name, onSignal)
    },
  }
}
