import type { Helper } from './helper.ts'

/**
 * What other threads still compute when an op has returned. The caller goes on meanwhile: it looks for the next op, gives
 * memory back and takes it, and tells the threads what to do next, which they do afterwards. Only before it touches the
 * heap's memory, in a call or through a view, it waits: `link` and `createHeap` see to that.
 */
let outstanding: readonly Helper[] = []

/** The threads have jobs to finish. */
export const leaveTo = (helpers: readonly Helper[]): void => {
  outstanding = helpers
}

/** Whether a thread may still compute something. */
export const isOutstanding = (): boolean => outstanding.length > 0

/** The only other thread, if it still computes something: what follows may be left to it, too. */
export const busyHelper = (): Helper | undefined => (outstanding.length === 1 && outstanding[0]!.busy ? outstanding[0] : undefined)

const wait = (): void => {
  const helpers = outstanding
  outstanding = []
  const errors: unknown[] = []
  for (const helper of helpers) {
    try {
      helper.join()
    } catch (error) {
      errors.push(error)
    }
  }
  if (errors.length > 0) throw errors[0]
}

/**
 * Waits until the other threads have finished what they were told before.
 * @throws ThreadError when a call failed on another thread or a thread has ended; all are done by then
 */
export const settleThreads = (): void => {
  if (outstanding.length > 0) wait()
}
