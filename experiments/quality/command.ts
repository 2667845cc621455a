import { Command, Option } from 'commander'
import { number, pathName, wholeNumber } from '../cli/arguments.ts'
import { weightsOption } from '../digits/weightsOption.ts'
import { runBackends } from '../gpu/presentBackend.ts'
import type { QualityOptions } from './runQuality.ts'

/** `quality`: how good purified and sampled images are, and what purification costs. */
export const qualityCommand = (): Command =>
  new Command('quality')
    .description('image quality of the diffusion models (FID, inception score, distances to the originals), and the cost of purification')
    .option('--models <names...>', 'weights to compare', ['base', 'vanilla', 'addt-paper', 'addt-scaled'])
    .addOption(weightsOption())
    .option('--images <n>', 'images of each set, at most 500; FID falls with their number', wholeNumber(65, 500), 500)
    .option('--t-star <share>', 'share of the diffusion time at which purification starts', number, 0.15)
    .option('--steps <n>', 'reverse steps of the purifier', wholeNumber(1), 5)
    .addOption(new Option('--sampler <process>', 'reverse process from pure noise').choices(['ddpm', 'ddim']).default('ddim'))
    .option('--sample-steps <n>', 'reverse steps from pure noise', wholeNumber(1), 50)
    .option(
      '--inception <file>',
      "weights of InceptionV3 (torchvision's names, as pytorch-fid's file has them): FID over its features",
      pathName,
    )
    .option('--seed <n>', 'seed of the noise', wholeNumber(0), 0)
    .addOption(new Option('--backend <name>', 'what computes').choices(runBackends).default('cpu'))
    .option('--json', 'print the result, its options and what it was computed with as JSON')
    .option('--quiet', 'no progress bar')
    .addHelpText(
      'after',
      `
FID is against the 1,297 training digits, over the penultimate features of the digits classifier, or with --inception those of
InceptionV3, and over the pixels. Published numbers are over 2,048 features of one InceptionV3 and 50,000 images.
Fine-tunings saw low timesteps only; when sampling, base takes the others.

Examples:
  npm run quality
  npm run quality -- --models vanilla addt-scaled linf --weights experiments/digits/weights runs/train-digits   linf by train --only linf
  npm run quality -- --sampler ddpm --sample-steps 1000 --images 200 --json`,
    )
    .action(async (options: QualityOptions) => (await import('./runQuality.ts')).runQuality(options))
