import { availableParallelism } from 'node:os'
import { type Command, Option } from 'commander'
import { listOf, number, pathName, wholeNumber } from '../cli/arguments.ts'

/** An option that decides the numbers: flags, what it is, and how its text is read. */
export type DecidingOption = (flags: string, description: string, parse?: (text: string) => unknown) => Option

/**
 * Deciding options of a command whose schema gives these defaults. Help shows them, but the command line leaves out what was not
 * given: defaults belong to the schema. `note` adds to a default, by the option's name.
 */
export const decidingOptions =
  (defaults: Readonly<Record<string, unknown>>, note: Readonly<Record<string, string>> = {}): DecidingOption =>
  (flags, description, parse) => {
    const option = new Option(flags)
    const name = option.attributeName()
    option.description = `${description} (default: ${defaults[name]}${note[name] ? `, ${note[name]}` : ''})`
    return parse ? option.argParser(parse) : option
  }

/** Adds the attack and the purifier that it meets. */
export const withAttackOptions = (command: Command, deciding: DecidingOption): Command =>
  command
    .addOption(deciding('--norm <norm>', 'linf or l2'))
    .addOption(deciding('--epsilon <radius>', 'radius of the attack, pixels in [0,1]', number))
    .addOption(deciding('--steps <n>', 'attack steps', number))
    .addOption(deciding('--eot-samples <n>', 'EoT samples where something stays random', number))
    .addOption(deciding('--t-star <share>', 'share of the diffusion time at which purification starts', number))
    .addOption(deciding('--reverse-steps <n>', 'reverse steps of the purifier', number))

/** Adds what computes a run, where it is kept and what is printed. */
export const withRunOptions = (command: Command, deciding: DecidingOption): Command =>
  command
    .addOption(deciding('--backend <name>', 'cpu, reference, gpu (the best mode present) or gpu:<mode>'))
    .option('--workers <n>', 'processes that work at the same time', wholeNumber(1), availableParallelism())
    .option('--weights <folder...>', 'folders searched for weights instead of those that come with the project', listOf(pathName))
    .option('--out <folder>', 'where runs are kept', pathName, 'runs')
    .option('--id <id>', 'name of the run; an existing one is resumed')
    .option('--json', 'print results.json instead of the table')
    .option('--quiet', 'no progress bar')
