import { fork } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { EMPTY, type FuzzTask, PLACE, type Tally } from './tally.ts'

export interface SuperviseOptions {
  readonly mutations: number
  readonly seed: number
  /** The first case. Default 0. */
  readonly first?: number
  /** A case that takes longer is a hang. Default 10 s. */
  readonly timeoutMilliseconds?: number
  /** Cases after which a fresh process takes over. Default 2500. */
  readonly perProcess?: number
  readonly onCases?: (count: number) => void
  /** The program to run, for tests. */
  readonly worker?: string
}

const WORKER = fileURLToPath(new URL('./worker.ts', import.meta.url))
const POLL_MILLISECONDS = 200
/** Room for a case without a collection in between, so that what it allocates can be measured. */
const NODE_OPTIONS = ['--max-semi-space-size=64', '--max-old-space-size=1024']

export const merged = (a: Tally, b: Tally): Tally => ({
  loaded: a.loaded + b.loaded,
  refused: a.refused + b.refused,
  violations: [...a.violations, ...b.violations],
  slowest: a.slowest.milliseconds >= b.slowest.milliseconds ? a.slowest : b.slowest,
  largest: a.largest.bytes >= b.largest.bytes ? a.largest : b.largest,
})

interface Ended {
  readonly tally: Tally
  /** The first case that has not been run. */
  readonly next: number
}

/** Runs a task in a process of its own. One that hangs or dies is a violation of the case it was at. */
const runProcess = (task: FuzzTask, { worker = WORKER, timeoutMilliseconds = 10_000 }: SuperviseOptions): Promise<Ended> =>
  new Promise((resolve, reject) => {
    const child = fork(worker, [JSON.stringify(task)], {
      execArgv: [...process.execArgv, ...NODE_OPTIONS],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    let result: Tally | undefined
    let stderr = ''
    let hung = false
    let place = { index: -1, since: Date.now() }
    const look = (): void => {
      const index = placeOf(task.folder)
      if (index !== place.index) place = { index, since: Date.now() }
      else if (index >= 0 && Date.now() - place.since > timeoutMilliseconds) {
        hung = true
        child.kill('SIGKILL')
      }
    }
    const watch = setInterval(look, POLL_MILLISECONDS)
    child.stderr!.on('data', chunk => {
      stderr = `${stderr}${chunk}`.slice(-1000)
    })
    child.on('message', message => {
      result = message as Tally
    })
    child.on('error', reject)
    child.on('close', (code, signal) => {
      clearInterval(watch)
      if (result) return resolve({ tally: result, next: task.to })
      const index = placeOf(task.folder)
      if (index < 0) return reject(new Error(`the fuzz worker did not start: ${stderr || signal || code}`))
      const rule = hung ? `it took more than ${timeoutMilliseconds} ms` : `the process died (${signal ?? code}) ${stderr.trim()}`
      resolve({ tally: { ...EMPTY, violations: [{ index, rule }] }, next: index + 1 })
    })
  })

const placeOf = (folder: string): number => {
  try {
    const text = readFileSync(join(folder, PLACE), 'utf8').trim()
    return text === '' ? -1 : Number(text)
  } catch {
    // The worker has not come as far as its first case.
    return -1
  }
}

/** Runs the cases of one format in processes that are watched. Counts of a process that ended early are lost, violations are not. */
export const superviseFormat = async (format: string, o: SuperviseOptions): Promise<Tally> => {
  const base = mkdtempSync(join(tmpdir(), 'fuzz-'))
  const first = o.first ?? 0
  const end = first + o.mutations
  let tally = EMPTY
  try {
    for (let from = first, run = 0; from < end; run++) {
      const folder = join(base, String(run))
      mkdirSync(folder)
      const to = Math.min(end, from + (o.perProcess ?? 2500))
      const ended = await runProcess({ format, seed: o.seed, from, to, folder }, o)
      tally = merged(tally, ended.tally)
      o.onCases?.(ended.next - from)
      from = ended.next
    }
  } finally {
    rmSync(base, { recursive: true, force: true })
  }
  return tally
}
