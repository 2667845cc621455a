import { Command, Option } from 'commander'
import { useBackend } from '../../core/index.ts'
import { pathName, wholeNumber } from '../cli/arguments.ts'
import { commandLine } from '../cli/commandLine.ts'
import { presentBackend, runBackends } from '../gpu/presentBackend.ts'
import { watchInterrupt } from '../support/interrupt.ts'
import { defaultWeights, trainDigits, trainingNames } from './train.ts'

/** `train`: makes the weights of a preset from scratch. */
export const trainCommand = (): Command =>
  new Command('train')
    .description(
      'train classifier, diffusion model and fine-tunings from scratch; an interrupted training is continued by the same command',
    )
    .addOption(new Option('--preset <name>', 'data and networks').choices(['digits']).default('digits'))
    .option('--seed <n>', 'seed of initialisation, batches and noise', wholeNumber(0), 0)
    .option('--out <folder>', 'where weights and checkpoints are written', pathName, 'runs/train-digits')
    .option(
      '--only <names...>',
      `fine-tunings to make: ${trainingNames.fineTunings.join(', ')}; or ${trainingNames.base} for none, as the pre-training is made in any case`,
      [...defaultWeights],
    )
    .option('--suffix <text>', 'appended to the names of the diffusion weights, to keep another seed beside the first')
    .addOption(new Option('--backend <name>', 'what computes').choices(runBackends).default('cpu'))
    .option('--quiet', 'no progress bar')
    .addHelpText(
      'after',
      `
Examples:
  npm run train -- --preset digits                       the weights that npm start uses
  npm run train -- --preset digits --out my-weights      into another folder; then: npm start -- --weights my-weights
  npm run train -- --preset digits --only random-order   a control
  npm run train -- --preset digits --only base           classifier and pre-training, no fine-tuning
  npm run train -- --preset digits --only linf           ADDT without RBGM; npm run quality compares it
  npm run train -- --seed 1 --suffix=-seed1 --only vanilla addt-scaled   another training seed`,
    )
    .action(async ({ preset, seed, out, only, suffix, backend: named, quiet }) => {
      const backend = await presentBackend(named)
      const options = {
        preset,
        out,
        ...(seed !== 0 && { seed }),
        ...(suffix !== undefined && { suffix }),
        ...(String(only) !== String(defaultWeights) && { only }),
        ...(backend !== 'cpu' && { backend }),
      }
      const interrupt = watchInterrupt({ resumeCommand: commandLine('train', options, { paths: ['out'] }) })
      try {
        await useBackend(backend)
        const there = await trainDigits({ out, seed, only, ...(suffix !== undefined && { suffix }), quiet, interrupt })
        const make = commandLine('train', { out, ...(there.seed !== 0 && { seed: there.seed }) }, { paths: ['out'] })
        const use = commandLine('start', { weights: [out] }, { paths: ['weights'] })
        process.stdout.write(
          there.lacking.length === 0
            ? `weights are in ${out}; use them with: ${use}\n`
            : `weights are in ${out}; ${commandLine('start', {})} needs ${there.lacking.join(', ')} too, which are made there with: ${make}\n`,
        )
      } finally {
        interrupt.dispose()
      }
    })
