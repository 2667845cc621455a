import { type ChildProcess, fork } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { addProfile, isProfiling } from '../profile/session.ts'
import { UserError } from '../support/errors.ts'
import type { Unit } from './plan.ts'
import type { FromWorker, ToWorker, WorkerFailure } from './worker.ts'

export interface PoolOptions {
  readonly workers: number
  readonly backend: string
  /** Folders searched for weights. */
  readonly weights: readonly string[]
  /** Once aborted no new unit is begun. */
  readonly signal: AbortSignal
  readonly onWork: (gradients: number) => void
  readonly onResult: (unit: Unit, result: unknown) => void
}

/** What went wrong in a worker: a line for the user, or the stack of a bug. */
const failure = ({ failed, stack }: WorkerFailure, place: string): Error => {
  if (stack === null) return new UserError(`${failed.replace(/\.$/, '')} (${place})`, 'what was done is kept')
  const error = new Error(`${failed} (in a worker, ${place})`)
  error.stack = `${error.message}\n${stack}`
  return error
}

/**
 * Runs units on worker processes, each with its own backend: every unit is computed by one process, so results do not
 * depend on their number. Resolves when all are done, or when the units under way are after an abort.
 * @throws UserError when a worker fails or dies, after the other workers are stopped
 */
export const runPool = async (units: readonly Unit[], o: PoolOptions): Promise<void> => {
  if (o.signal.aborted) return
  const waiting = [...units]
  const children = new Set<ChildProcess>()
  const processes = Math.min(o.workers, units.length)
  // Unless told otherwise the processes share the processors: together they have no more threads.
  const threads = process.env.DBP_THREADS || String(Math.max(1, Math.floor(availableParallelism() / processes)))
  const start = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const child = fork(fileURLToPath(new URL('./worker.ts', import.meta.url)), {
        execArgv: ['--import', import.meta.resolve('tsx')],
        env: { ...process.env, DBP_THREADS: threads },
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      })
      children.add(child)
      let current: Unit | undefined
      const place = (): string => (current ? `while computing ${current.key}` : 'while loading the networks')
      const next = (): void => {
        current = o.signal.aborted ? undefined : waiting.shift()
        if (current) child.send({ unit: current } satisfies ToWorker)
        else {
          children.delete(child)
          child.disconnect()
          resolve()
        }
      }
      child.on('message', (message: FromWorker) => {
        if ('work' in message) o.onWork(message.work)
        else if ('profile' in message) addProfile(message.profile)
        else if ('failed' in message) reject(failure(message, place()))
        else {
          if ('key' in message) o.onResult(current!, message.result)
          next()
        }
      })
      child.on('exit', (code, signal) => {
        if (children.has(child)) {
          reject(
            new UserError(
              `a worker process ended with ${signal ?? `code ${code}`} ${place()}`,
              'run the same command again: what was done is kept',
            ),
          )
        }
      })
      child.on('error', reject)
      child.send({ backend: o.backend, weights: o.weights, profile: isProfiling() } satisfies ToWorker)
    })
  try {
    await Promise.all(Array.from({ length: processes }, start))
  } finally {
    for (const child of children) child.kill('SIGKILL')
  }
}
