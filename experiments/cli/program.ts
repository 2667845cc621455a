import { Command } from 'commander'
import { withProfile } from '../profile/option.ts'
import { UsageError } from '../support/errors.ts'
import { threadNumber } from './arguments.ts'
import { launcher } from './commandLine.ts'

/**
 * Every command by its name, in the order of help. Together they import most of the project, so only what is called is loaded; for
 * the same reason a command's action imports for itself what neither help nor wrong options need.
 */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  run: async () => withProfile((await import('../dwBox/command.ts')).runCommand()),
  train: async () => withProfile((await import('../digits/command.ts')).trainCommand()),
  evaluate: async () => withProfile((await import('../evaluate/command.ts')).evaluateCommand()),
  parity: async () => withProfile((await import('../parity/command.ts')).parityCommand()),
  landscape: async () => withProfile((await import('../landscape/command.ts')).landscapeCommand()),
  quality: async () => withProfile((await import('../quality/command.ts')).qualityCommand()),
  certify: async () => withProfile((await import('../certify/command.ts')).certifyCommand()),
  inspect: async () => (await import('../inspect/command.ts')).inspectCommand(),
  fuzz: async () => (await import('../fuzz/command.ts')).fuzzCommand(),
  audit: async () => (await import('../audit/command.ts')).auditCommand(),
  quirks: async () => withProfile((await import('../quirks/command.ts')).quirksCommand()),
  'gpu:doctor': async () => (await import('../gpu/command.ts')).doctorCommand(),
  bench: async () => (await import('../bench/command.ts')).benchCommand(),
  bundle: async () => (await import('../bundle/command.ts')).bundleCommand(),
}

/** The loader of the command that the words call or want help for, all of them where they name none that there is. */
const loadersFor = (program: Command, words: readonly string[]): (() => Promise<Command>)[] => {
  const [first, second] = program.parseOptions([...words]).operands
  const name = first === 'help' ? second : first
  return name !== undefined && Object.hasOwn(commands, name) ? [commands[name]!] : Object.values(commands)
}

/** How a command is called from a checkout: nothing is installed, package.json has a script for each. A bundle has a launcher. */
const usageOf = (command: Command): string => {
  const bundled = launcher()
  if (bundled !== undefined)
    return command.parent === null ? `${bundled} <command> [options]` : `${bundled} ${command.name()} ${command.usage()}`
  if (command.parent === null) return 'npx tsx experiments/cli/main.ts <command> [options]'
  return `${command.name() === 'run' ? 'npm start' : `npm run ${command.name()}`} -- ${command.usage()}`
}

/**
 * commander says what is wrong with an option, and for bad values what to give; where it says nothing of that, help does. Its
 * guess of what was meant, a line of its own, joins that one.
 */
const withRemedy = (message: string): string =>
  /is invalid( for argument '.*')?\. /.test(message)
    ? message
    : message.replace(/\n\(Did you mean (.*)\?\)/, ' (did you mean $1?)').replace(/\.?\n/, '; see --help\n')

/** What the environment asks for, where it does. @throws UsageError */
const checkThreads = (text: string | undefined): void => {
  if (!text) return
  try {
    threadNumber(text)
  } catch (cause) {
    throw new UsageError(`DBP_THREADS is ${JSON.stringify(text)}`, (cause as Error).message.replace(/^Use (.*)\.$/, 'use $1'))
  }
}

/**
 * The command line for these words, without the commands that they do not call. Parsing throws instead of ending the process,
 * and so does this where the program's own options are wrong.
 */
export const createProgram = async (words: readonly string[]): Promise<Command> => {
  const program = new Command('dbp')
    .description('Robustness of diffusion-based purification, measured')
    .exitOverride()
    .configureOutput({ outputError: (message, write) => write(withRemedy(message)) })
    .configureHelp({ commandUsage: usageOf, showGlobalOptions: true })
    .option('--threads <n>', 'threads of an op on cpu (default: one per processor); no result depends on it', threadNumber)
    // By the environment, which worker processes inherit.
    .hook('preAction', command => {
      const { threads } = command.opts()
      if (threads !== undefined) process.env.DBP_THREADS = String(threads)
      else checkThreads(process.env.DBP_THREADS)
    })
  for (const command of await Promise.all(loadersFor(program, words).map(load => load())))
    program.addCommand(command.copyInheritedSettings(program))
  return program
}

/** Obeys the words of a command line. */
export const runProgram = async (words: readonly string[]): Promise<void> => {
  await (await createProgram(words)).parseAsync(words, { from: 'user' })
}
