import { fileURLToPath } from 'node:url'
import { presentBackend, type RunBackend } from '../gpu/presentBackend.ts'
import { painter } from '../report/ansi.ts'
import { wrap } from '../report/textLayout.ts'
import { UsageError, UserError } from '../support/errors.ts'
import { outputFile } from '../support/outputFile.ts'
import { createProgress } from '../support/progress.ts'
import { collectProvenance } from '../support/provenance.ts'
import { type BenchResults, bench } from './bench.ts'
import { type ContestantName, OURS, PEERS } from './contestants.ts'
import { MEMORY_STEPS, QUICK, ROUNDS } from './defaults.ts'
import { installPeers } from './installPeers.ts'
import { formatMemory, measureMemory } from './memory.ts'
import { resultsJson } from './resultsJson.ts'
import { type Row, rows } from './rows.ts'
import { renderTable } from './table.ts'
import type { Clock } from './verdict.ts'

/** What the command line gives. */
export interface BenchCall {
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

/** The rows whose title holds one of the texts, whatever the case of its letters; all without texts. @throws UsageError for none */
export const chooseRows = ({ filter, quick }: { readonly filter?: readonly string[]; readonly quick: boolean }): Row[] => {
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

const render = ({ results, versions, absent, reference, provenance }: BenchResults, threads: readonly number[]): string => {
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
const runMemory = async (o: BenchCall): Promise<Report> => {
  const others = (['peers', 'filter', 'rounds', 'threadCounts', 'clock', 'quick'] as const).filter(name => o[name] !== undefined)
  if (others.length > 0) {
    const flags = others.map(name => `--${name === 'threadCounts' ? 'thread-counts' : name}`).join(', ')
    throw new UsageError(`--memory times nothing, which ${flags} is for`, 'give one of them')
  }
  const steps = Array.isArray(o.memory) ? o.memory : MEMORY_STEPS
  const backend = await presentBackend(o.backend)
  const progress = createProgress({ label: 'memory', total: steps.length, unit: 'gradients', silent: o.json ?? false })
  try {
    const results = await measureMemory({ backend, steps, onSteps: count => progress.advance(1, `${count} steps`) })
    progress.finish()
    return { json: { provenance: collectProvenance({ seed: 0, backend }), ...results }, text: formatMemory(results) }
  } finally {
    progress.stop()
  }
}

const runTimes = async (o: BenchCall): Promise<Report> => {
  const chosen = chooseRows({ filter: o.filter, quick: o.quick ?? false })
  const peers = choosePeers(o.peers ?? false)
  const threads = o.threadCounts ?? [o.threads ?? 1]
  if (peers.some(name => name !== 'pytorch')) await installPeers(PEERS_FOLDER)
  const backend = await presentBackend(o.backend)
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
  return { json: resultsJson(results), text: `${render(results, threads)}\n` }
}

/** What the command does: times, or memory. @throws UsageError on rows, peers and combinations of options that there are not */
export const runBench = async (o: BenchCall): Promise<void> => {
  const file = o.out === undefined ? undefined : outputFile(o.out, '--out')
  const report = await (o.memory ? runMemory(o) : runTimes(o))
  const json = `${JSON.stringify(report.json, null, 2)}\n`
  process.stdout.write(o.json ? json : report.text)
  if (!file) return
  file.write([json])
  process.stderr.write(`written to ${o.out}\n`)
}
