import type { BufferPool } from './bufferPool.ts'
import { type Command, type HostStep, lateError } from './commands.ts'
import type { Encoder, Pending } from './encode.ts'

/** So many commands are submitted without waiting for a read, so that the device does not stand idle. */
const submitAt = 128

export interface CommandQueue {
  add(command: Command): void
  /** Submits everything that was added so far. */
  flush(): Promise<void>
  /** Notes a check that must be over before a read resolves. It must not reject. */
  check(over: Promise<unknown>): void
}

const isSettled = (command: Command): boolean =>
  command.kind === 'dispatch' ? command.built.pipeline !== undefined || command.built.failure !== undefined : command.kind !== 'host'

/**
 * Commands in the order in which they were asked for. They are encoded into one command buffer and submitted together at the
 * next read, when a batch is full, or before a step of the host; pipelines that are still being built are awaited then.
 */
export const createCommandQueue = (device: GPUDevice, pool: BufferPool, encoder: Encoder): CommandQueue => {
  const checks = new Set<Promise<unknown>>()
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
  const blame = async (batch: readonly Command[], message: string): Promise<Error> => {
    const refused = await encoder.findRefused(batch)
    const error = refused
      ? lateError(refused.dispatch.origin, refused.reason)
      : new Error(`webgpu: a submission was refused, ${message}; use --backend cpu`)
    for (const command of batch) {
      const outputs = command.kind === 'dispatch' ? command.outputs : command.kind === 'copies' ? command.copies.map(({ to }) => to) : []
      for (const output of outputs) output.failure ??= error
    }
    return error
  }

  const submit = (batch: readonly Command[]): void => {
    if (batch.length === 0) return
    device.pushErrorScope('validation')
    const { buffer, reads } = encoder.encode(batch)
    device.queue.submit([buffer])
    const refused = device.popErrorScope().then(
      error => (error ? blame(batch, error.message) : undefined),
      (lost: Error) => lost,
    )
    check(refused)
    for (const read of reads) void finishRead(read, refused)
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
