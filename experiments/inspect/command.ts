import { Command } from 'commander'
import { pathName } from '../cli/arguments.ts'

interface Options {
  readonly json?: boolean
  readonly inert?: boolean
  readonly stateDict?: string
}

/** `inspect <file>`: what is in a checkpoint, and whose it is, without loading its weights. */
export const inspectCommand = (): Command =>
  new Command('inspect')
    .description('list the tensors of a checkpoint and guess its network, without loading the weights')
    .argument('<file>', 'a safetensors or PyTorch checkpoint', pathName)
    .option('--json', 'print the answer as JSON')
    .option('--inert', 'keep objects of unknown classes as inert data (unknownClasses "inert"), as files of whole modules need')
    .option('--state-dict <keys>', 'where the state dict lies in a PyTorch file, as keys joined by dots (stateDictKey)')
    .addHelpText(
      'after',
      `
Examples:
  npm run inspect -- experiments/digits/weights/vanilla.safetensors   weights that come with the project
  npm run inspect -- ckpt.pth --state-dict model.ema                  one of several state dicts
  npm run inspect -- model.pkl --inert --json                         a whole module, as JSON`,
    )
    .action(async (file: string, { json, inert, stateDict }: Options) => {
      const { inspectCheckpoint } = await import('../../core/io/checkpointFile.ts')
      const { checkStateDictOption } = await import('../support/stateDictOption.ts')
      const { formatInspection, inspection } = await import('./inspection.ts')
      const summary = inspectCheckpoint(file, { unknownClasses: inert ? 'inert' : 'refuse', stateDictKey: stateDict })
      checkStateDictOption(file, summary.format, stateDict)
      const answer = inspection(file, summary)
      process.stdout.write(`${json ? JSON.stringify(answer, null, 2) : formatInspection(answer)}\n`)
    })
