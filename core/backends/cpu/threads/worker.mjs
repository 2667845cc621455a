// @ts-check
/**
 * A worker thread of the cpu backend: executes the calls that the caller writes into the ring, on the memory they share.
 * It never returns to its event loop, so modules are fetched from the port when a call names a function not seen yet.
 */
import { receiveMessageOnPort, workerData } from 'node:worker_threads'
import { kind, ringOf, word, wordsOf } from './layout.mjs'

/**
 * How often the ring is looked at before the worker sleeps, about 200 microseconds: the gap between two ops of a model is
 * mostly shorter. A worker that is awake begins within a microsecond; waking it takes 30, 10 of them the caller's.
 */
const looks = 20_000

/** @type {{ buffer: SharedArrayBuffer, port: import('node:worker_threads').MessagePort }} */
const { buffer, port } = workerData
const words = wordsOf(buffer)
const ring = ringOf(buffer)

/** @type {((...values: number[]) => unknown)[]} */
const functions = []

/** @param {number} id */
const fetchFunction = id => {
  while (!functions[id]) {
    const received = receiveMessageOnPort(port)
    if (!received) throw new Error(`function ${id} was not sent`)
    if (!received.message.module) continue
    const { module, memory, names, first } = received.message
    const { exports } = new WebAssembly.Instance(module, { env: { memory } })
    for (const [i, name] of names.entries()) functions[first + i] = /** @type {() => unknown} */ (exports[name])
  }
  return functions[id]
}

/**
 * Tells the caller, if it sleeps, that a word it waits for has changed.
 * @param {number} index
 * @param {number} value
 */
const tell = (index, value) => {
  Atomics.store(words, index, value)
  if (Atomics.load(words, word.callerAsleep) === 1) Atomics.notify(words, index)
}

/** @param {number} consumed */
const awaitRecords = consumed => {
  for (let i = 0; i < looks; i++) if (Atomics.load(words, word.published) !== consumed) return
  Atomics.store(words, word.asleep, 1)
  Atomics.wait(words, word.published, consumed)
  Atomics.store(words, word.asleep, 0)
}

/** @param {unknown} error */
const report = error => {
  const { name, message } = error instanceof Error ? error : { name: 'Error', message: String(error) }
  Atomics.store(words, word.failed, 1)
  port.postMessage(`${name}: ${message}`)
}

let at = 0
let consumed = 0
/** Whether the calls that follow are this worker's to execute. */
let mine = false

/** @type {number[]} */
const values = []

/**
 * @param {number} id
 * @param {number} count
 */
const call = (id, count) => {
  try {
    const run = functions[id] ?? fetchFunction(id)
    values.length = count
    for (let i = 0; i < count; i++) values[i] = ring[at + 2 + i]
    run(...values)
  } catch (error) {
    report(error)
    mine = false
  }
}

const step = () => {
  const what = ring[at]
  const count = ring[at + 1]
  const job = ring[at + 2]
  consumed = (consumed + 1) | 0
  if (what >= 0) {
    if (mine) call(what, count)
  } else if (what === kind.begin) {
    mine = Atomics.compareExchange(words, word.claimed, (job - 1) | 0, job) === ((job - 1) | 0)
  } else if (what === kind.end) {
    Atomics.store(words, word.consumed, consumed)
    tell(word.done, job)
  } else {
    at = 0
    tell(word.consumed, consumed)
    return
  }
  at += 2 + count
}

Atomics.store(words, word.ready, 1)
for (;;) {
  if (Atomics.load(words, word.published) === consumed) awaitRecords(consumed)
  else step()
}
