import { availableParallelism } from 'node:os'
import { Command, InvalidArgumentError } from 'commander'
import { renderTable } from '../report/terminalTable.ts'
import { watchInterrupt } from '../support/interrupt.ts'
import { runAudit } from './audit.ts'
import { parseAuditOptions } from './options.ts'

/** A finite number from the command line. */
const number = (text: string): number => {
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('it is no number.')
  return value
}

const commandLine = (given: Record<string, unknown>): string => {
  const flags = Object.entries(given).map(([name, value]) => {
    const flag = `--${name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)}`
    return value === true ? flag : `${flag} ${value}`
  })
  return flags.length > 0 ? `npm start -- ${flags.join(' ')}` : 'npm start'
}

/** `run`: the DW-box audit of a purifier. */
export const runCommand = (): Command =>
  new Command('run')
    .description('attack diffusion-based purification in every threat setting and judge the claims of the paper')
    .option('--preset <name>', 'data and networks: digits')
    .option('--full', 'add the sweeps over t*, epsilon and l_2, the controls and three training seeds (about 30 minutes)')
    .option('--seed <n>', 'seed of every noise of attack and report', number)
    .option('--images <n>', 'test images where something stays random', number)
    .option('--images-deterministic <n>', 'test images where nothing does', number)
    .option('--norm <norm>', 'linf or l2')
    .option('--epsilon <radius>', 'radius of the attack, pixels in [0,1]', number)
    .option('--steps <n>', 'attack steps', number)
    .option('--eot-samples <n>', 'EoT samples where something stays random', number)
    .option('--t-star <share>', 'share of the diffusion time at which purification starts', number)
    .option('--reverse-steps <n>', 'reverse steps of the purifier', number)
    .option('--report-draws <n>', 'fresh noises on which each image is judged', number)
    .option('--backend <name>', 'cpu or reference')
    .option('--workers <n>', 'processes that work at the same time', number, availableParallelism())
    .option('--weights <folder...>', 'folders searched for weights before those that come with the project')
    .option('--out <folder>', 'where runs are kept', 'runs')
    .option('--id <id>', 'name of the run; an existing one is resumed')
    .option('--json', 'print results.json instead of the table')
    .option('--quiet', 'no progress bar')
    .addHelpText(
      'after',
      `
Examples:
  npm start                                   the default table, about two minutes on two cores
  npm start -- --images 32 --steps 5          a quick look
  npm start -- --epsilon 0.1 --t-star 0.2     other settings
  npm start -- --full                         sweeps, controls and training seeds
  npm start -- --id 2026-01-31T12-00-00-abcd  resume an interrupted run`,
    )
    .action(async given => {
      const { workers, weights, out, id, json, quiet, ...options } = given
      const { results, folder } = await runAudit({
        options: parseAuditOptions(options),
        out,
        id,
        workers,
        quiet: quiet || json,
        ...(weights && { weights }),
        command: commandLine(options),
        interrupt: resumeCommand => watchInterrupt({ resumeCommand }),
      })
      const color = process.stdout.isTTY === true && !process.env.NO_COLOR
      if (json) process.stdout.write(`${JSON.stringify(results, null, 2)}\n`)
      else
        process.stdout.write(
          `${renderTable(results, { color, width: process.stdout.columns ?? 120, paths: { results: `${folder}/results.json`, report: `${folder}/report.html` } })}\n`,
        )
    })
