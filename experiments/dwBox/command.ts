import { Command } from 'commander'
import { attackNames } from '../../algorithms/attacks/presets.ts'
import { number } from '../cli/arguments.ts'
import { readings } from '../quirks/readings.ts'
import { decidingOptions, withAttackOptions, withRunOptions } from './commandOptions.ts'
import { parseAuditOptions } from './options.ts'
import { processNames } from './process.ts'

/** Where `--full` measures more closely than the default. */
const fullDefaults = { eotSamples: 10, imagesPartial: 128 }

const deciding = decidingOptions(parseAuditOptions({}), {
  eotSamples: `with --full ${fullDefaults.eotSamples}`,
  imagesPartial: `with --full ${fullDefaults.imagesPartial}`,
  reportDraws: `with --reading faithful ${readings.faithful.reportDraws}`,
})

/** `run`: the DW-box audit of a purifier. */
export const runCommand = (): Command => {
  const command = new Command('run')
    .description('attack diffusion-based purification in every threat setting and judge the claims of the paper')
    .addOption(deciding('--preset <name>', 'data and networks'))
    .option('--full', 'add the sweeps over t*, epsilon and l_2, the controls and three training seeds (about half an hour)')
    .addOption(deciding('--seed <n>', 'seed of every noise of attack and report', number))
    .addOption(deciding('--images <n>', 'test images where all noise stays random', number))
    .addOption(deciding('--images-partial <n>', 'test images where half of the noise is known', number))
    .addOption(deciding('--images-deterministic <n>', 'test images where nothing stays random', number))
    .option('--attack <name>', `another attack than PGD: ${attackNames.filter(name => name !== 'pgd').join(', ')}`)
    .option('--gradient <name>', 'gradient of the purifier that the attack takes: exact, adjoint, surrogate (half the steps) or bpda')
    .option('--reading <name>', 'paper, or faithful to the published scripts: their timesteps, one report draw, EoT 1 in DW_Fwd')
    .option('--process <name>', `reverse process of all purifiers: ${processNames.join(', ')}`)
    .addOption(deciding('--report-draws <n>', 'fresh noises on which each image is judged', number))
  withRunOptions(withAttackOptions(command, deciding), deciding)
  return command
    .addHelpText(
      'after',
      `
Examples:
  npm start                                   the default table, about two minutes on two cores
  npm start -- --images 32 --steps 5          a quick look
  npm start -- --epsilon 0.1 --t-star 0.2     other settings
  npm start -- --attack apgd-ce --steps 100   another attack; --steps 100 is AutoAttack's budget
  npm start -- --reading faithful             as the published scripts do it
  npm start -- --process vpsde                purifiers of another process
  npm start -- --full                         sweeps, controls and training seeds
  npm start -- --full --eot-samples 5         the same at the EoT of the default table
  npm start -- --full --id my-run             a run with a name; the same command resumes it
  npm start -- --weights my-weights           networks made by npm run train`,
    )
    .action(async given => {
      const { workers, weights, out, id, json, quiet, ...options } = given
      const settings = parseAuditOptions({ ...(options.full && fullDefaults), ...options })
      const { runDwBox } = await import('./runDwBox.ts')
      await runDwBox(settings, { workers, weights, out, id, json, quiet, given: options })
    })
}
