import { Command } from 'commander'
import { pathName } from '../cli/arguments.ts'
import type { QuirksOptions } from './runQuirks.ts'

/** `quirks`: measures on the digits what the published scripts do otherwise than the paper says. */
export const quirksCommand = (): Command =>
  new Command('quirks')
    .description('measure the effect of every finding about the published scripts on the digits; npm run audit shows the results')
    .option('--out <folder>', 'where runs are kept; an interrupted measurement there is continued', pathName, 'runs')
    .option('--write', "also replace the project's own results, experiments/quirks/measured.json")
    .option('--quiet', 'no progress bar')
    .addHelpText(
      'after',
      `
Examples:
  npm run quirks                   some ten minutes on two cores; Ctrl-C and the same command continue
  npm run quirks -- --write        and keep the results with the project
  npm run quirks -- --out build    runs in another folder`,
    )
    .action(async (options: QuirksOptions) => (await import('./runQuirks.ts')).runQuirks(options))
