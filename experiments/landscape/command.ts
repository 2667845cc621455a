import { Command } from 'commander'
import { number } from '../cli/arguments.ts'
import { commandLine } from '../cli/commandLine.ts'
import { decidingOptions, withAttackOptions, withRunOptions } from '../dwBox/commandOptions.ts'
import { processNames } from '../dwBox/process.ts'
import { presentBackend } from '../gpu/presentBackend.ts'
import { watchInterrupt } from '../support/interrupt.ts'
import { parseLandscapeOptions } from './options.ts'
import { summaryText } from './summaryText.ts'

const deciding = decidingOptions(parseLandscapeOptions({}))

/** `landscape`: the loss around images, and the ways that attacks take through it. */
export const landscapeCommand = (): Command => {
  const command = new Command('landscape')
    .description('the loss over planes around test images, with known and with averaged noise, and the attacks in them')
    .addOption(deciding('--seed <n>', 'seed of every noise', number))
    .addOption(deciding('--images <n>', 'test images', number))
    .addOption(deciding('--model <name>', 'fine-tuning of the diffusion model: vanilla, addt-paper or addt-scaled'))
    .option('--process <name>', `reverse process of the purifier: ${processNames.join(', ')} (default: ddpm)`)
    .addOption(deciding('--points <n>', 'points of the grid along either axis', number))
    .addOption(deciding('--radius <r>', 'ends of the axes, in lengths of the longest perturbation', number))
    .addOption(deciding('--worlds <n>', 'noises that are averaged', number))
  withRunOptions(withAttackOptions(command, deciding), deciding)
  return command
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
      const { explore } = await import('./explore.ts')
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
}
