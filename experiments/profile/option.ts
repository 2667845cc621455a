import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Command } from 'commander'
import { chromeTrace } from '../../core/backends/profile/chromeTrace.ts'
import type { Profile } from '../../core/backends/profile/profile.ts'
import { UserError } from '../support/errors.ts'
import { startProfiling, stopProfiling } from './session.ts'
import { profileTable } from './table.ts'

const DEFAULT_FILE = 'runs/trace.json'

const writeTrace = (file: string, profiles: readonly Profile[]): void => {
  try {
    mkdirSync(dirname(file), { recursive: true })
    const descriptor = openSync(file, 'w')
    for (const piece of chromeTrace(profiles)) writeSync(descriptor, piece)
    closeSync(descriptor)
  } catch (cause) {
    throw new UserError(`--profile: cannot write ${file}, ${(cause as Error).message}`, 'choose another file', { cause })
  }
}

/**
 * Adds `--profile [file]` to a command that runs tensors. The command knows nothing of it: the option is taken away before it
 * runs, and after it the table goes to the error output (so that `--json` stays readable) and the trace into the file.
 * The workers of the audit measure themselves and send their profiles; trainings that `run --full` starts are not measured.
 */
export const withProfile = (command: Command): Command => {
  let file: string | undefined
  return command
    .option(
      '--profile [file]',
      `measure every op: a table at the end, and a trace for chrome://tracing or ui.perfetto.dev in the file (default: ${DEFAULT_FILE})`,
    )
    .hook('preAction', () => {
      const options = command.opts<{ profile?: string | true }>()
      if (options.profile === undefined) return
      file = options.profile === true ? DEFAULT_FILE : options.profile
      delete options.profile
      startProfiling()
    })
    .hook('postAction', () => {
      if (file === undefined) return
      const profiles = stopProfiling()
      writeTrace(file, profiles)
      const leftOut = profiles.reduce((sum, profile) => sum + profile.eventsLeftOut, 0)
      const note = leftOut > 0 ? ` (the first calls of each process; ${leftOut} more are in the table only)` : ''
      process.stderr.write(`\n${profileTable(profiles)}trace: ${file}${note}\n`)
    })
}
