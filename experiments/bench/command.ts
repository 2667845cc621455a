import { Command, InvalidArgumentError, Option } from 'commander'
import { listOf, pathName, wholeNumber } from '../cli/arguments.ts'
import { runBackends } from '../gpu/presentBackend.ts'
import { PEERS } from './contestants.ts'
import { MEMORY_STEPS, MOST_STEPS, QUICK, ROUNDS } from './defaults.ts'

/** `1,2` as numbers of threads. @throws InvalidArgumentError */
export const threadCounts = (text: string): number[] => {
  const counts = text.split(',').map(wholeNumber(1))
  if (new Set(counts).size !== counts.length) throw new InvalidArgumentError('Name each number of threads once.')
  return counts
}

const stepCount = (text: string): number => {
  const count = wholeNumber(1)(text)
  if (count > MOST_STEPS) throw new InvalidArgumentError(`Use at most ${MOST_STEPS}, the timesteps of the model.`)
  return count
}

/** `bench`: how fast this project is, beside other libraries if asked, and whether it reaches its bars. */
export const benchCommand = (): Command =>
  new Command('bench')
    .description('time ops and whole models, beside other libraries if asked')
    .option('--peers [names...]', 'other libraries too, all or those named; installs them once into runs/bench-peers')
    .option('--filter <texts...>', 'only rows with one of these texts in their title')
    .option('--rounds <n>', `rounds, in each of which everyone is timed once (default: ${ROUNDS})`, wholeNumber(1))
    .option('--thread-counts <list>', 'numbers of threads to compare, such as 1,2 (default: that of --threads, else 1)', threadCounts)
    .addOption(new Option('--backend <name>', 'what this project computes on').choices(runBackends).default('cpu'))
    .addOption(
      new Option('--clock <kind>', 'time that counts (default: cpu with one thread of a processor, else wall)').choices(['cpu', 'wall']),
    )
    .option('--limit <seconds>', 'time each contestant has for each row', wholeNumber(1), 10)
    .option(
      '--memory [steps...]',
      `the most memory of the exact gradient through these numbers of reverse steps of the CIFAR-10 UNet (default: ${MEMORY_STEPS.join(' and ')}), and nothing else`,
      listOf(stepCount),
    )
    .option('--quick', `fewer rows, ${QUICK.rounds} rounds, short samples`)
    .option('--json', 'print the results as JSON')
    .option('--out <file>', 'write the results as JSON, all samples included', pathName)
    .addHelpText(
      'after',
      `
A ratio is our time over the peer's: the median of the ratios within the rounds. Peers: ${PEERS.join(', ')}.
Beside a speedup by threads stands that of as many separate processes: what the processors of this machine gain at all.

Examples:
  npm run bench -- --quick                           this project alone, in a minute
  npm run bench -- --peers                           beside every peer that runs here
  npm run bench -- --peers pytorch --filter conv     convolutions beside PyTorch
  npm run bench -- --peers --thread-counts 1,2 --out bench.json
  npm run bench -- --memory 11 101                   memory instead of time, for 101 steps too`,
    )
    .action(async (_options, command: Command) => (await import('./runBench.ts')).runBench(command.optsWithGlobals()))
