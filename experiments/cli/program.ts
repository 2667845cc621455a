import { Command } from 'commander'
import { auditCommand } from '../audit/command.ts'
import { benchCommand } from '../bench/command.ts'
import { bundleCommand } from '../bundle/command.ts'
import { certifyCommand } from '../certify/command.ts'
import { trainCommand } from '../digits/command.ts'
import { runCommand } from '../dwBox/command.ts'
import { evaluateCommand } from '../evaluate/command.ts'
import { fuzzCommand } from '../fuzz/command.ts'
import { doctorCommand } from '../gpu/command.ts'
import { inspectCommand } from '../inspect/command.ts'
import { landscapeCommand } from '../landscape/command.ts'
import { parityCommand } from '../parity/command.ts'
import { withProfile } from '../profile/option.ts'
import { qualityCommand } from '../quality/command.ts'
import { quirksCommand } from '../quirks/command.ts'
import { wholeNumber } from './arguments.ts'
import { launcher } from './commandLine.ts'

/** How a command is called from a checkout: nothing is installed, package.json has a script for each. A bundle has a launcher. */
const usageOf = (command: Command): string => {
  const bundled = launcher()
  if (bundled !== undefined)
    return command.parent === null ? `${bundled} <command> [options]` : `${bundled} ${command.name()} ${command.usage()}`
  if (command.parent === null) return 'npx tsx experiments/cli/main.ts <command> [options]'
  return `${command.name() === 'run' ? 'npm start' : `npm run ${command.name()}`} -- ${command.usage()}`
}

/** commander says on one line what is wrong with an option, and for bad values what to give; where it says nothing of that, help does. */
const withRemedy = (message: string): string => (message.includes('is invalid. ') ? message : message.replace(/\.?\n/, '; see --help\n'))

/** The whole command line. Parsing throws instead of ending the process. */
export const createProgram = (): Command => {
  const program = new Command('dbp')
    .description('Robustness of diffusion-based purification, measured')
    .exitOverride()
    .configureOutput({ outputError: (message, write) => write(withRemedy(message)) })
    .configureHelp({ commandUsage: usageOf, showGlobalOptions: true })
    .option('--threads <n>', 'threads of an op on cpu (default: one per processor); no result depends on it', wholeNumber(1))
    // By the environment, which worker processes inherit.
    .hook('preAction', command => {
      const { threads } = command.opts()
      if (threads !== undefined) process.env.DBP_THREADS = String(threads)
    })
  for (const command of [
    withProfile(runCommand()),
    withProfile(trainCommand()),
    withProfile(evaluateCommand()),
    withProfile(parityCommand()),
    withProfile(landscapeCommand()),
    qualityCommand(),
    certifyCommand(),
    inspectCommand(),
    fuzzCommand(),
    auditCommand(),
    quirksCommand(),
    doctorCommand(),
    benchCommand(),
    bundleCommand(),
  ])
    program.addCommand(command.copyInheritedSettings(program))
  return program
}
