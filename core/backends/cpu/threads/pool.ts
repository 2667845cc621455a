import { availableParallelism } from 'node:os'
import { Helper } from './helper.ts'
import { settleThreads } from './outstanding.ts'

/** More threads than this are used only when asked for: the shares of most ops become too small to gain. */
const mostByDefault = 16

const checked = (count: number | string, where: string): number => {
  if (Number.isSafeInteger(Number(count)) && Number(count) >= 1) return Number(count)
  throw new Error(`${where}: the number of threads must be a whole number of at least 1, got ${count}; 1 uses no other threads`)
}

const defaultThreads = (): number => {
  const text = process.env.DBP_THREADS
  return text ? checked(text, 'DBP_THREADS') : Math.min(mostByDefault, availableParallelism())
}

const workerFile = new URL('./worker.mjs', import.meta.url)

/** Starts worker threads, which become ready one by one some 50 milliseconds later; none where the engine has no such thing. */
const start = (count: number, file: URL): Helper[] => {
  const workerThreads = typeof SharedArrayBuffer === 'undefined' ? undefined : process.getBuiltinModule?.('node:worker_threads')
  if (!workerThreads) return []
  try {
    return Array.from({ length: count }, (_, i) => new Helper(workerThreads, i + 2, file))
  } catch {
    return []
  }
}

let threads: number | undefined
let helpers: Helper[] | undefined

/** The number of threads that ops may use, the caller's included: `setThreads`, else DBP_THREADS, else one per processor. */
export const threadCount = (): number => {
  threads ??= defaultThreads()
  return threads
}

/** Ends the worker threads; resolves when they are gone. The next op that gains by them starts new ones. */
export const stopThreads = async (): Promise<void> => {
  settleThreads()
  const stopped = helpers ?? []
  helpers = undefined
  await Promise.all(stopped.map(helper => helper.stop()))
}

/**
 * Sets the number of threads for the ops that follow, the caller's included; with 1 there are no others. Results do not
 * depend on it, not in the last bit.
 * @throws when it is not a whole number of at least 1
 */
export const setThreads = (count: number): void => {
  settleThreads()
  threads = checked(count, 'setThreads')
  void stopThreads()
}

/** A thread that ended after it was ready is replaced with all others; one that never came is not tried again. */
const replaceEnded = (): void => {
  if (!helpers?.some(helper => helper.ended)) return
  settleThreads()
  const canStart = helpers.every(helper => helper.started)
  void stopThreads()
  if (!canStart) helpers = []
}

/** The worker threads that take jobs now. The first call starts them and finds none ready: nobody waits for them. */
export const readyHelpers = (file = workerFile): readonly Helper[] => {
  const count = threadCount() - 1
  if (count === 0) return []
  replaceEnded()
  helpers ??= start(count, file)
  return helpers.every(helper => helper.ready) ? helpers : helpers.filter(helper => helper.ready)
}

/**
 * Starts the worker threads and waits until all are ready, which ops do not; resolves to the number of threads that take
 * part, 1 where none can be started.
 */
export const startThreads = async (file = workerFile): Promise<number> => {
  for (;;) {
    const ready = readyHelpers(file).length
    if (ready === (helpers?.length ?? 0)) return ready + 1
    await new Promise(resolve => setTimeout(resolve, 1))
  }
}
