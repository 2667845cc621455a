import type { BufferPool } from './bufferPool.ts'
import { type Command, type HostStep, lateError } from './commands.ts'
import type { Encoder, Pending } from './encode.ts'
import { carryLateFailures, type Submission } from './failures.ts'

/** So many commands are submitted without waiting for a read, so that the device does not stand idle. */
const submitAt = 128

export interface CommandQueue {
  add(command: Command): void
  /** Submits everything that was added so far. */
  flush(): Promise<void>
  /** Notes a check that must be over before a read resolves. It must not reject. */
  check(over: Promise<unknown>): void
  /** Resolves when the checks so far are over: what has failed of the commands submitted so far is known then. */
  checked(): Promise<void>
}

const isSettled = (command: Command): boolean =>
  command.kind === 'dispatch' ? command.built.pipeline !== undefined || command.built.failure !== undefined : command.kind !== 'host'

/**
 * Commands in the order in which they were asked for. They are encoded into one command buffer and submitted together at the
 * next read, when a batch is full, or before a step of the host; pipelines that are still being built are awaited then.
 */
export const createCommandQueue = (device: GPUDevice, pool: BufferPool, encoder: Encoder): CommandQueue => {
  const checks = new Set<Promise<unknown>>()
  /** From the first whose fate is not known: what is found out about it fails what the later ones computed from its results. */
  const submissions: Submission[] = []
  let commands: Command[] = []
  let draining: Promise<void> | undefined

  const check = (over: Promise<unknown>): void => {
    checks.add(over)
    void over.then(() => checks.delete(over))
  }

  const finishRead = async ({ read, staging }: Pending, refused: Promise<Error | undefined>): Promise<void> => {
    try {
      const open = [...checks]
      await staging.mapAsync(0x01)
      await Promise.all(open)
      const failure = read.array.failure ?? (await refused)
      if (failure) throw failure
      read.resolve(new Float32Array(staging.getMappedRange().slice(0)))
    } catch (error) {
      read.reject(read.array.failure ?? (await refused) ?? (error as Error))
    } finally {
      staging.destroy()
    }
  }

  /** A command buffer fails as a whole: every result in it gets the error of the op that is to blame. */
  const blame = async (submission: Submission, message: string): Promise<void> => {
    const refused = await encoder.findRefused(submission.batch)
    submission.error = refused
      ? lateError(refused.dispatch.origin, refused.reason)
      : new Error(`webgpu: a submission was refused, ${message.split('\n')[0]}; use --backend cpu`)
    carryLateFailures(submissions.slice(submissions.indexOf(submission)))
  }

  const follow = async (submission: Submission, thrown: Error | undefined): Promise<Error | undefined> => {
    try {
      const refused = await device.popErrorScope()
      const error = thrown ?? refused
      if (error) await blame(submission, error.message)
    } catch (lost) {
      submission.error = lost as Error
    }
    submission.over = true
    while (submissions[0]?.over) submissions.shift()
    return submission.error
  }

  const rejectReads = async (batch: readonly Command[], refused: Promise<Error | undefined>): Promise<void> => {
    const error = (await refused)!
    for (const command of batch) if (command.kind === 'read') command.reject(command.array.failure ?? error)
  }

  const submit = (batch: readonly Command[]): void => {
    if (batch.length === 0) return
    const submission: Submission = { batch, over: false }
    submissions.push(submission)
    let reads: readonly Pending[] | undefined
    let thrown: Error | undefined
    device.pushErrorScope('validation')
    try {
      const encoded = encoder.encode(batch)
      device.queue.submit([encoded.buffer])
      reads = encoded.reads
    } catch (error) {
      thrown = error as Error
    }
    const refused = follow(submission, thrown)
    check(refused)
    if (reads) for (const read of reads) void finishRead(read, refused)
    else void rejectReads(batch, refused)
  }

  const take = () => {
    const batch = commands
    commands = []
    return { batch, submitted: pool.beginSubmission() }
  }

  const drain = async (): Promise<void> => {
    const { batch, submitted } = take()
    let start = 0
    while (start < batch.length) {
      const host = batch.findIndex((command, i) => i >= start && command.kind === 'host')
      const part = batch.slice(start, host < 0 ? batch.length : host)
      await Promise.all(part.map(command => command.kind === 'dispatch' && command.built.settled))
      submit(part)
      if (host >= 0) await (batch[host] as HostStep).run()
      start += part.length + 1
    }
    submitted()
  }

  const drainAll = async (): Promise<void> => {
    // A microtask later, so that reads that are asked for together share one submission.
    await undefined
    try {
      while (commands.length > 0) await drain()
    } finally {
      // At once: commands of a flush that came between would never be submitted.
      draining = undefined
    }
  }

  return {
    check,
    async checked() {
      await Promise.all(checks)
    },
    add(command) {
      commands.push(command)
      if (draining || commands.length % submitAt !== 0 || !commands.every(isSettled)) return
      const { batch, submitted } = take()
      submit(batch)
      submitted()
    },
    flush() {
      draining ??= drainAll()
      return draining
    },
  }
}
