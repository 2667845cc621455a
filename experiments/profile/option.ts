import type { Command } from 'commander'
import { pathName } from '../cli/arguments.ts'
import { type OutputFile, outputFile } from '../support/outputFile.ts'

const DEFAULT_FILE = 'runs/trace.json'

/**
 * Adds `--profile [file]` to a command that runs tensors. The command knows nothing of it: the option is taken away before it
 * runs, and after it the table goes to the error output (so that `--json` stays readable) and the trace into the file.
 * The workers of the audit measure themselves and send their profiles; trainings that `run --full` starts are not measured.
 */
export const withProfile = (command: Command): Command => {
  let path = DEFAULT_FILE
  let trace: OutputFile | undefined
  return command
    .option(
      '--profile [file]',
      `measure every op: a table at the end, and a trace for chrome://tracing or ui.perfetto.dev in the file (default: ${DEFAULT_FILE})`,
      pathName,
    )
    .hook('preAction', async () => {
      const options = command.opts<{ profile?: string | true }>()
      if (options.profile === undefined) return
      if (options.profile !== true) path = options.profile
      trace = outputFile(path, '--profile')
      delete options.profile
      const { startProfiling } = await import('./session.ts')
      startProfiling()
    })
    .hook('postAction', async () => {
      if (!trace) return
      const { stopProfiling } = await import('./session.ts')
      const { chromeTrace } = await import('../../core/backends/profile/chromeTrace.ts')
      const { profileTable } = await import('./table.ts')
      const profiles = stopProfiling()
      trace.write(chromeTrace(profiles))
      const leftOut = profiles.reduce((sum, profile) => sum + profile.eventsLeftOut, 0)
      const note = leftOut > 0 ? ` (the first calls of each process; ${leftOut} more are in the table only)` : ''
      process.stderr.write(`\n${profileTable(profiles)}trace: ${path}${note}\n`)
    })
}
