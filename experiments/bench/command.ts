import { fileURLToPath } from 'node:url'
import { Command, InvalidArgumentError, Option } from 'commander'
import { listOf, pathName, wholeNumber } from '../cli/arguments.ts'
import { presentBackend, type RunBackend, runBackends } from '../gpu/presentBackend.ts'
import { painter } from '../report/ansi.ts'
import { wrap } from '../report/textLayout.ts'
import { UsageError, UserError } from '../support/errors.ts'
import { outputFile } from '../support/outputFile.ts'
import { collectProvenance } from '../support/provenance.ts'
import type { BenchResults } from './bench.ts'
import { type ContestantName, OURS, PEERS } from './contestants.ts'
import { installPeers } from './installPeers.ts'
import type { Row } from './rows.ts'
import type { Clock } from './verdict.ts'

interface Options {
  readonly peers?: true | readonly string[]
  readonly filter?: readonly string[]
  readonly rounds?: number
  readonly threadCounts?: readonly number[]
  /** The option of all commands. */
  readonly threads?: number
  readonly clock?: Clock
  readonly backend: RunBackend
  readonly limit: number
  readonly memory?: true | readonly number[]
  readonly quick?: true
  readonly json?: true
  readonly out?: string
}

/** What is written as JSON, and what is printed without it. */
interface Report {
  readonly json: object
  readonly text: string
}

const PEERS_FOLDER = fileURLToPath(new URL('../../runs/bench-peers', import.meta.url))
const SAMPLE_MS = 30
const QUICK = { rounds: 3, sampleMs: 10 }
const ROUNDS = 9
/** Reverse steps whose memory shows what each further one takes, and the most that there are. */
const MEMORY_STEPS = [11, 21]
const MOST_STEPS = 1000

/** `1,2` as numbers of threads. @throws InvalidArgumentError */
export const threadCounts = (text: string): number[] => {
  const counts = text.split(',').map(wholeNumber(1))
  if (new Set(counts).size !== counts.length) throw new InvalidArgumentError('Name each number of threads once.')
  return counts
}

/** The rows whose title holds one of the texts, whatever the case of its letters; all without texts. @throws UsageError for none */
export const chooseRows = async ({ filter, quick }: { readonly filter?: readonly string[]; readonly quick: boolean }): Promise<Row[]> => {
  const { rows } = await import('./rows.ts')
  const chosen = rows.filter(
    row => (!quick || row.quick) && (!filter || filter.some(text => row.title.toLowerCase().includes(text.toLowerCase()))),
  )
  if (chosen.length > 0) return chosen
  throw new UsageError(`no row has ${filter?.map(text => `"${text}"`).join(' or ')} in its title`, 'run without --filter to see all')
}

/** Peers named after `--peers`, all of them without names. @throws UsageError */
export const choosePeers = (given: boolean | readonly string[]): ContestantName[] => {
  if (given === false) return []
  if (given === true) return [...PEERS]
  const unknown = given.find(name => !PEERS.some(peer => peer === name))
  if (unknown !== undefined) throw new UsageError(`there is no peer "${unknown}"`, `use ${PEERS.join(', ')}`)
  return PEERS.filter(peer => given.includes(peer))
}

const stepCount = (text: string): number => {
  const count = wholeNumber(1)(text)
  if (count > MOST_STEPS) throw new InvalidArgumentError(`Use at most ${MOST_STEPS}, the timesteps of the model.`)
  return count
}

const render = async ({ results, versions, absent, reference, provenance }: BenchResults, threads: readonly number[]): Promise<string> => {
  const { renderTable } = await import('./table.ts')
  const width = process.stdout.columns ?? 120
  const paint = painter(process.stdout.isTTY === true && !process.env.NO_COLOR)
  const named = [...Object.entries(versions), ...Object.entries(absent).map(([name, why]) => [name, `absent: ${why}`] as const)]
  return [
    ...threads.map(count =>
      renderTable(
        results.filter(result => result.threads === count),
        { paint, width, reference },
      ),
    ),
    [
      ...wrap(`${provenance.cpu.model}, ${provenance.cpu.count} cores, node ${provenance.node}, ${provenance.time}`, width),
      ...named.flatMap(([name, text]) => wrap(`${name} ${text}`, width)),
    ]
      .map(line => paint(line.includes('reference BLAS') ? 'yellow' : 'dim', line))
      .join('\n'),
  ].join('\n\n')
}

/** The memory of the exact gradient, as JSON and as text. @throws UsageError beside options of timing */
const runMemory = async (o: Options): Promise<Report> => {
  const others = (['peers', 'filter', 'rounds', 'threadCounts', 'clock', 'quick'] as const).filter(name => o[name] !== undefined)
  if (others.length > 0) {
    const flags = others.map(name => `--${name === 'threadCounts' ? 'thread-counts' : name}`).join(', ')
    throw new UsageError(`--memory times nothing, which ${flags} is for`, 'give one of them')
  }
  const steps = Array.isArray(o.memory) ? o.memory : MEMORY_STEPS
  const backend = await presentBackend(o.backend)
  const { createProgress } = await import('../support/progress.ts')
  const { formatMemory, measureMemory } = await import('./memory.ts')
  const progress = createProgress({ label: 'memory', total: steps.length, unit: 'gradients', silent: o.json ?? false })
  try {
    const results = await measureMemory({ backend, steps, onSteps: count => progress.advance(1, `${count} steps`) })
    progress.finish()
    return { json: { provenance: collectProvenance({ seed: 0, backend }), ...results }, text: formatMemory(results) }
  } finally {
    progress.stop()
  }
}

const runTimes = async (o: Options): Promise<Report> => {
  const chosen = await chooseRows({ filter: o.filter, quick: o.quick ?? false })
  const peers = choosePeers(o.peers ?? false)
  const threads = o.threadCounts ?? [o.threads ?? 1]
  if (peers.some(name => name !== 'pytorch')) await installPeers(PEERS_FOLDER)
  const backend = await presentBackend(o.backend)
  const { bench } = await import('./bench.ts')
  const results = await bench({
    backend,
    rows: chosen,
    contestants: [OURS, ...peers],
    threads,
    rounds: o.rounds ?? (o.quick ? QUICK.rounds : ROUNDS),
    // The time of this process says nothing of a device's.
    clock: o.clock ?? (backend.startsWith('gpu:') ? 'wall' : undefined),
    leastMs: o.quick ? QUICK.sampleMs : SAMPLE_MS,
    limitMs: 1000 * o.limit,
    peers: PEERS_FOLDER,
    silent: o.json ?? false,
  })
  if (OURS in results.absent) throw new UserError(`bench: this project does not run: ${results.absent[OURS]}`, 'try npm test')
  const { resultsJson } = await import('./resultsJson.ts')
  return { json: resultsJson(results), text: `${await render(results, threads)}\n` }
}

const run = async (o: Options): Promise<void> => {
  const file = o.out === undefined ? undefined : outputFile(o.out, '--out')
  const report = await (o.memory ? runMemory(o) : runTimes(o))
  const json = `${JSON.stringify(report.json, null, 2)}\n`
  process.stdout.write(o.json ? json : report.text)
  if (!file) return
  file.write([json])
  process.stderr.write(`written to ${o.out}\n`)
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
    .action((_options, command: Command) => run(command.optsWithGlobals()))
