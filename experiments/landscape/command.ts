import { availableParallelism } from 'node:os'
import { Command, Option } from 'commander'
import { number, wholeNumber } from '../cli/arguments.ts'
import { commandLine } from '../cli/commandLine.ts'
import { processNames } from '../dwBox/process.ts'
import { presentBackend } from '../gpu/presentBackend.ts'
import { watchInterrupt } from '../support/interrupt.ts'
import { explore } from './explore.ts'
import { type LandscapeOptions, parseLandscapeOptions } from './options.ts'
import { summaryText } from './summaryText.ts'

const defaults: LandscapeOptions = parseLandscapeOptions({})

/** An option that decides the numbers; its default stands with the other rules in options.ts. */
const deciding = (flags: string, description: string, parse?: (text: string) => unknown): Option => {
  const option = new Option(flags)
  option.description = `${description} (default: ${defaults[option.attributeName() as keyof LandscapeOptions]})`
  return parse ? option.argParser(parse) : option
}

/** `landscape`: the loss around images, and the ways that attacks take through it. */
export const landscapeCommand = (): Command =>
  new Command('landscape')
    .description('the loss over planes around test images, with known and with averaged noise, and the attacks in them')
    .addOption(deciding('--seed <n>', 'seed of every noise', number))
    .addOption(deciding('--images <n>', 'test images', number))
    .addOption(deciding('--model <name>', 'fine-tuning of the diffusion model: vanilla, addt-paper or addt-scaled'))
    .option('--process <name>', `reverse process of the purifier: ${processNames.join(', ')} (default: ddpm)`)
    .addOption(deciding('--points <n>', 'points of the grid along either axis', number))
    .addOption(deciding('--radius <r>', 'ends of the axes, in lengths of the longest perturbation', number))
    .addOption(deciding('--worlds <n>', 'noises that are averaged', number))
    .addOption(deciding('--norm <norm>', 'linf or l2'))
    .addOption(deciding('--epsilon <radius>', 'radius of the attacks, pixels in [0,1]', number))
    .addOption(deciding('--steps <n>', 'attack steps', number))
    .addOption(deciding('--eot-samples <n>', 'EoT samples', number))
    .addOption(deciding('--t-star <share>', 'share of the diffusion time at which purification starts', number))
    .addOption(deciding('--reverse-steps <n>', 'reverse steps of the purifier', number))
    .addOption(deciding('--backend <name>', 'cpu, reference, gpu (the best mode present) or gpu:<mode>'))
    .option('--workers <n>', 'processes that work at the same time', wholeNumber(1), availableParallelism())
    .option('--weights <folder...>', 'folders searched for weights instead of those that come with the project')
    .option('--out <folder>', 'where runs are kept', 'runs')
    .option('--id <id>', 'name of the run; an existing one is resumed')
    .option('--json', 'print results.json instead of the table')
    .option('--quiet', 'no progress bar')
    .addHelpText(
      'after',
      `
Examples:
  npm run landscape                                   four images, about a minute on two cores
  npm run landscape -- --images 16 --points 41        more of them, in more detail
  npm run landscape -- --model addt-scaled            around a purifier that was fine-tuned with ADDT
  npm run landscape -- --process vpsde --t-star 0.2   another process, more noise`,
    )
    .action(async given => {
      const { workers, weights, out, id, json, quiet, ...options } = given
      const paths = ['weights', 'out']
      const asked = parseLandscapeOptions(options)
      const { results, folder } = await explore({
        options: { ...asked, backend: await presentBackend(asked.backend) },
        out,
        id,
        workers,
        quiet: quiet || json,
        weights,
        command: commandLine('landscape', { ...options, weights }, { paths }),
        resumeCommand: runId => commandLine('landscape', { ...options, weights, out, id: runId }, { paths }),
        interrupt: resumeCommand => watchInterrupt({ resumeCommand }),
      })
      process.stdout.write(
        json
          ? `${JSON.stringify(results, null, 2)}\n`
          : `${summaryText(results)}\nresults  ${folder}/results.json\npage     ${folder}/landscape.html\n`,
      )
    })
