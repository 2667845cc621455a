import { Command, Option } from 'commander'
import { listOf, number, pathName, wholeNumber } from '../cli/arguments.ts'
import { DATASETS } from '../data/datasets.ts'
import { remoteNames } from '../fetch/remoteDatasets.ts'
import { runBackends } from '../gpu/presentBackend.ts'
import { UsageError } from '../support/errors.ts'
import { architectureNames } from './architectures.ts'
import type { PurifierOptions } from './purifier.ts'
import type { EvaluateOptions } from './runEvaluate.ts'

/** Options that say nothing without a purifier. */
const PURIFYING: readonly string[] = ['tStar', 'steps', 'variance']

/** The purifier options if one is wanted. @throws UsageError when only a part of them is given */
const purifierOptions = (o: EvaluateOptions, command: Command): PurifierOptions | null => {
  const unused = command.options.find(
    option => PURIFYING.includes(option.attributeName()) && command.getOptionValueSource(option.attributeName()) === 'cli',
  )
  if (unused && o.purify === undefined && o.purifier === undefined)
    throw new UsageError(`${unused.long} is given without --purify`, 'add --purify ddpm and --purifier, or leave it away')
  if (o.purify !== undefined && o.purifier === undefined)
    throw new UsageError(`--purify ${o.purify} has no model`, 'name its folder, or its name on the hub, with --purifier')
  if (o.purifier !== undefined && o.purify === undefined) throw new UsageError('--purifier is given without --purify', 'add --purify ddpm')
  return o.purify === undefined ? null : (o as EvaluateOptions & PurifierOptions)
}

/** `evaluate`: the accuracy of a published classifier, with or without a purifier in front. */
export const evaluateCommand = (): Command =>
  new Command('evaluate')
    .description('accuracy of a published classifier on a data set, with or without a purifier in front')
    .requiredOption('--arch <name>', architectureNames().join('; '))
    .requiredOption('--checkpoint <file>', 'safetensors or PyTorch file', pathName)
    .addOption(new Option('--dataset <name>', 'kind of data').choices(Object.keys(DATASETS)).default('cifar10'))
    .option('--data <files...>', 'files of the data set', listOf(pathName), [])
    .option('--download', `fetch the official data set once and keep it in the cache folder (${remoteNames.join(', ')})`)
    .option('--classes <n>', 'classes the classifier knows (default: those of the data set)', wholeNumber(2))
    .option('--state-dict <key>', 'where the state dict lies in a PyTorch file, if not in the usual places')
    .option('--whole-module', 'take the parameters of a PyTorch file that holds a whole module; its code is never run')
    .addOption(
      new Option('--split <part>', 'part of an archive, a folder of pictures or the digits').choices(['test', 'train']).default('test'),
    )
    .option('--resize <pixels>', 'bring the shorter side of each picture to this length (imagenet: 256)', wholeNumber(1))
    .option('--crop <pixels>', 'cut this square out of the middle (imagenet: 224)', wholeNumber(1))
    .option('--limit <n>', 'take n images only: the first, or of a folder of pictures evenly spaced ones', wholeNumber(1))
    .option('--batch <n>', 'images at a time', wholeNumber(1), 64)
    .option('--mean <numbers...>', 'subtracted from pixels in [0,1], per channel (default: as the architecture expects)', listOf(number))
    .option('--std <numbers...>', 'divides them then', listOf(number))
    .addOption(new Option('--purify <process>', 'purify images first, by this reverse process').choices(['ddpm', 'ddim']))
    .option(
      '--purifier <model>',
      'folder with config.json and weights of the diffusion model, as diffusers saves them, or its name on the Hugging Face hub (owner/name): fetched once, checked, and kept in the cache folder (DBP_CACHE)',
      pathName,
    )
    .option('--t-star <share>', 'share of the diffusion time to which images are noised', number, 0.1)
    .option('--steps <n>', 'reverse steps from there', wholeNumber(1), 100)
    .addOption(new Option('--variance <kind>', 'of the DDPM steps').choices(['fixedLarge', 'fixedSmall']).default('fixedLarge'))
    .option('--seed <n>', 'seed of the noise', wholeNumber(0), 0)
    .addOption(new Option('--backend <name>', 'what computes').choices(runBackends).default('cpu'))
    .option('--json', 'print the result, its options and what it was computed with as JSON')
    .option('--quiet', 'no progress bar')
    .addHelpText(
      'after',
      `
Files of each data set:
${Object.entries(DATASETS)
  .map(([name, { files }]) => `  ${name.padEnd(17)} ${files}`)
  .join('\n')}

Examples:
  npm run evaluate -- --arch resnet20 --checkpoint resnet20-12fca82f.th --data test_batch.bin
  npm run evaluate -- --arch resnet18 --checkpoint ckpt.pth --data test_batch.bin --limit 1000 --json
  npm run evaluate -- --arch wrn-28-10 --checkpoint wrn.pt --data test_batch.bin --purify ddpm --purifier google/ddpm-cifar10-32 --steps 10`,
    )
    .action(async (o: EvaluateOptions, command: Command) => {
      const purifier = purifierOptions(o, command)
      await (await import('./runEvaluate.ts')).runEvaluate(o, purifier)
    })
