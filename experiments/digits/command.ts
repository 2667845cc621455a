import { Command, InvalidArgumentError } from 'commander'
import { useBackend } from '../../core/index.ts'
import { UsageError } from '../support/errors.ts'
import { watchInterrupt } from '../support/interrupt.ts'
import { defaultWeights, trainDigits } from './train.ts'

const wholeNumber = (text: string): number => {
  const value = Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) throw new InvalidArgumentError('it is no whole number.')
  return value
}

/** `train`: makes the weights of a preset from scratch. */
export const trainCommand = (): Command =>
  new Command('train')
    .description(
      'train classifier, diffusion model and fine-tunings from scratch; an interrupted training is continued by the same command',
    )
    .option('--preset <name>', 'data and networks: digits', 'digits')
    .option('--seed <n>', 'seed of initialisation, batches and noise', wholeNumber, 0)
    .option('--out <folder>', 'where weights and checkpoints are written', 'runs/train-digits')
    .option('--only <names...>', 'fine-tunings to make', [...defaultWeights])
    .option('--backend <name>', 'cpu or reference', 'cpu')
    .option('--quiet', 'no progress bar')
    .addHelpText(
      'after',
      `
Examples:
  npm run train -- --preset digits                       the weights that npm start uses
  npm run train -- --preset digits --out my-weights      into another folder; then: npm start -- --weights my-weights
  npm run train -- --preset digits --only random-order   a control`,
    )
    .action(async ({ preset, seed, out, only, backend, quiet }) => {
      if (preset !== 'digits') throw new UsageError(`there is no preset "${preset}"`, 'choose digits')
      const resumeCommand = `npm run train -- --preset digits --seed ${seed} --out ${out}`
      const interrupt = watchInterrupt({ resumeCommand })
      try {
        await useBackend(backend)
        await trainDigits({ out, seed, only, quiet, interrupt })
      } finally {
        interrupt.dispose()
      }
      process.stdout.write(`weights are in ${out}; use them with: npm start -- --weights ${out}\n`)
    })
