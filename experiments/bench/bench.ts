import { createProgress } from '../support/progress.ts'
import { collectProvenance, type Provenance } from '../support/provenance.ts'
import { createClient } from './client.ts'
import { type ContestantName, canUseThreads, findPython, OURS, PEERS, PROCESSES, programOf } from './contestants.ts'
import { type Entrant, measure } from './measure.ts'
import { processes } from './processes.ts'
import type { Row } from './rows.ts'
import { type Clock, clockFor, type RowResult } from './verdict.ts'

export interface BenchOptions {
  readonly rows: readonly Row[]
  readonly contestants: readonly ContestantName[]
  readonly threads: readonly number[]
  readonly rounds: number
  readonly clock: Clock | undefined
  readonly leastMs: number
  readonly limitMs: number
  /** Where the peers' packages are. */
  readonly peers: string
  /** What this project computes on. */
  readonly backend: string
  readonly silent: boolean
}

export interface BenchResults {
  readonly provenance: Provenance
  readonly rounds: number
  /** Version of each contestant that took part. */
  readonly versions: Readonly<Record<string, string>>
  /** Why contestants did not take part. */
  readonly absent: Readonly<Record<string, string>>
  readonly results: readonly RowResult[]
  /** The first peer that took part. */
  readonly reference: string | undefined
}

/** OpenBLAS's threads look for work for 25 ms. */
const WARM_MS = 50

const TORCH_REMEDY = 'no python3 has torch; apt-get install python3-torch libopenblas0'

/** Times every row on every contestant with every number of threads, each in a process of its own. */
export const bench = async (o: BenchOptions): Promise<BenchResults> => {
  const python = o.contestants.includes('pytorch') ? findPython() : undefined
  const versions: Record<string, string> = {}
  const absent: Record<string, string> = {}
  const entrants: Entrant[] = []
  try {
    for (const name of o.contestants) {
      for (const threads of canUseThreads(name) ? o.threads : o.threads.filter(each => each === 1)) {
        const program = programOf(name, { threads, peers: o.peers, python, backend: o.backend })
        if (!program) {
          absent[name] = TORCH_REMEDY
          continue
        }
        const client = createClient(program)
        try {
          versions[name] = await client.version()
          entrants.push({ name, threads, client })
          if (name === OURS && threads > 1 && o.backend === 'cpu') {
            const one = programOf(name, { threads: 1, peers: o.peers, python, backend: o.backend })!
            entrants.push({ name: PROCESSES, threads, client: processes(Array.from({ length: threads }, () => createClient(one))) })
          }
        } catch (error) {
          absent[name] = (error as Error).message
        }
      }
    }
    const total = o.rows.length * entrants.length * (o.rounds + 1)
    const progress = createProgress({ label: 'bench', total, unit: 'turns', silent: o.silent })
    const results: RowResult[] = []
    const warmMs = entrants.some(({ threads }) => threads > 1) ? WARM_MS : 0
    try {
      for (const row of o.rows) {
        const onTurn = ({ name, threads }: Entrant): void => progress.advance(1, `${row.title}: ${name} ${threads}`)
        const all = await measure(row.work, entrants, { ...o, warmMs, onTurn })
        const single = all.find(({ name, threads }) => name === OURS && threads === 1)?.samples ?? []
        for (const threads of o.threads) {
          const measurements = all.filter(each => each.threads === threads)
          results.push({ row, threads, clock: clockFor(threads, o.clock), measurements, single })
        }
      }
      progress.finish()
    } finally {
      progress.stop()
    }
    return {
      provenance: collectProvenance({ seed: 0, backend: o.backend }),
      rounds: o.rounds,
      versions,
      absent,
      results,
      reference: PEERS.find(name => name in versions),
    }
  } finally {
    for (const { client } of entrants) client.close()
  }
}
