import type { MessagePort, Worker } from 'node:worker_threads'
import type { LinkedSource } from '../wasm/link.ts'
import { bufferBytes, kind, ringOf, word, wordsOf } from './layout.mjs'
import { ThreadError } from './threadError.ts'

type WorkerThreads = typeof import('node:worker_threads')

/** How often a word is looked at before the caller sleeps: about 100 microseconds, the unevenness of two shares. */
const looks = 10_000
/** How long the caller sleeps before it asks whether the worker is still there. */
const patienceMilliseconds = 100

/** The worker is told of so many calls at once, since it looks at the word meanwhile: each telling takes it the cache line. */
const recordsAtATime = 8

/** The remedy is the same for all: without other threads nothing of this can happen. */
const failure = (what: string): ThreadError => new ThreadError(`cpu threads: ${what}; set DBP_THREADS=1 to compute on one thread`)

/**
 * The caller's side of one worker thread. A job is written between `begin` and `end`, several jobs one after the other.
 * The worker executes their calls while they are written, each job unless `takeNext` has claimed it before. A series of
 * jobs is one op's; it ends with `takeNext` finding none left or with `leave`, and `join` waits for it, also when the next
 * one is written already.
 */
export class Helper {
  private readonly buffer = new SharedArrayBuffer(bufferBytes)
  private readonly words = wordsOf(this.buffer)
  private readonly ring = ringOf(this.buffer)
  private readonly port: MessagePort
  private readonly worker: Worker
  private readonly sent = new Set<LinkedSource>()
  private at = 0
  private written = 0
  private job = 0
  /** The last job of the series before, and the last jobs that the caller and that the worker have claimed. */
  private before = 0
  private ours = 0
  private theirs = 0
  /** The job that `join` waits for. */
  private due = 0
  private reason: string | undefined
  /** Set when the thread has ended, by itself or not. */
  ended = false

  constructor(
    private readonly threads: WorkerThreads,
    readonly number: number,
    file: URL,
  ) {
    const { MessageChannel, Worker } = threads
    const { port1, port2 } = new MessageChannel()
    this.port = port1
    this.worker = new Worker(file, {
      workerData: { buffer: this.buffer, port: port2 },
      transferList: [port2],
      // Neither the loaders of the program nor those of the environment: the worker is plain JavaScript.
      execArgv: [],
      env: {},
      name: `cpu thread ${number}`,
    })
    this.worker.unref()
    // Without a listener a worker that cannot start would end the program; here it leaves the work to the others.
    this.worker.on('error', () => {
      this.ended = true
    })
    this.worker.on('exit', () => {
      this.ended = true
    })
  }

  /** Whether the thread ever became ready. */
  get started(): boolean {
    return Atomics.load(this.words, word.ready) === 1
  }

  /** Whether it takes jobs. */
  get ready(): boolean {
    return this.started && !this.ended
  }

  /** Makes the functions of a module known to the worker, once. */
  send(source: LinkedSource): void {
    if (this.sent.has(source)) return
    this.sent.add(source)
    this.port.postMessage(source)
  }

  /** The jobs that follow are a series of their own. */
  beginSeries(): void {
    this.before = this.job
  }

  begin(): void {
    this.job = (this.job + 1) | 0
    this.write(kind.begin, [this.job])
  }

  call(id: number, values: readonly number[]): void {
    this.write(id, values)
  }

  end(): void {
    this.write(kind.end, [this.job])
  }

  /** Leaves the series to the worker: nobody else will take its jobs. */
  leave(): void {
    this.due = this.job
  }

  /** Whether the worker has not finished what `join` waits for. */
  get busy(): boolean {
    return ((Atomics.load(this.words, word.done) - this.due) | 0) < 0
  }

  /** Claims the next job that the worker has not begun: its place in the series, or -1 when there is none left. */
  takeNext(): number {
    for (;;) {
      const last = Atomics.load(this.words, word.claimed)
      if (last !== this.ours) this.theirs = last
      if (last === this.job) {
        this.due = this.theirs
        return -1
      }
      const next = (last + 1) | 0
      if (Atomics.compareExchange(this.words, word.claimed, last, next) === last) {
        this.ours = next
        return (next - this.before - 1) | 0
      }
    }
  }

  /**
   * Waits until the worker has finished what it has claimed of the last series that has ended, or what was left to it.
   * @throws ThreadError when one of their calls failed or the thread has ended
   */
  join(): void {
    this.waitFor(word.done, this.due)
    if (Atomics.load(this.words, word.failed) === 0) return
    Atomics.store(this.words, word.failed, 0)
    this.readReason()
    const { reason } = this
    this.reason = undefined
    throw failure(`a call failed in thread ${this.number} (${reason})`)
  }

  async stop(): Promise<void> {
    this.ended = true
    await this.worker.terminate()
    this.port.close()
  }

  private readReason(): void {
    this.reason ??= this.threads.receiveMessageOnPort(this.port)?.message
  }

  private write(what: number, values: readonly number[]): void {
    // The last two places are kept for `wrap`.
    if (this.at + 4 + values.length > this.ring.length) this.wrap()
    const { ring } = this
    let { at } = this
    ring[at++] = what
    ring[at++] = values.length
    for (let i = 0; i < values.length; i++) ring[at++] = values[i]!
    this.at = at
    this.written = (this.written + 1) | 0
    if (what < 0 || this.written % recordsAtATime === 0) this.publish()
  }

  private wrap(): void {
    this.ring[this.at] = kind.wrap
    this.ring[this.at + 1] = 0
    this.written = (this.written + 1) | 0
    this.publish()
    this.waitFor(word.consumed, this.written)
    this.at = 0
  }

  private publish(): void {
    Atomics.store(this.words, word.published, this.written)
    if (Atomics.load(this.words, word.asleep) === 1) Atomics.notify(this.words, word.published)
  }

  /** Waits until a counter has reached a value; it may have passed it and may have wrapped around. */
  private waitFor(index: number, value: number): void {
    const { words } = this
    for (let i = 0; i < looks; i++) if (((Atomics.load(words, index) - value) | 0) >= 0) return
    Atomics.store(words, word.callerAsleep, 1)
    for (;;) {
      const seen = Atomics.load(words, index)
      if (((seen - value) | 0) >= 0) break
      if (Atomics.wait(words, index, seen, patienceMilliseconds) === 'timed-out') this.assertAlive()
    }
    Atomics.store(words, word.callerAsleep, 0)
  }

  /**
   * The caller's event loop is blocked while it waits, so no event tells it that the thread has ended. But the end closes
   * the port, which reading notices, and a closed port takes no message.
   */
  private assertAlive(): void {
    this.readReason()
    const taken: unknown = this.port.postMessage({})
    if (taken === true) return
    this.ended = true
    Atomics.store(this.words, word.callerAsleep, 0)
    throw failure(`thread ${this.number} ended while it computed its share of an op`)
  }
}
