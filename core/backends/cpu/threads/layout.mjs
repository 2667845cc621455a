// @ts-check
/**
 * What the caller and one worker thread share besides the heap: a block of int32 words, then a ring of float64 records.
 * Plain JavaScript, since worker threads start without a TypeScript loader.
 *
 * A record is [kind, count, argument 1, ..., argument count]. A kind of at least 0 is the number of a function to call;
 * float64 holds every i32 and every f32 argument exactly. A job is the records from `begin` to `end`.
 */

/** Places in the block; words that different sides write are on different cache lines (16 words each). */
export const word = Object.freeze({
  /** 1 once the worker takes jobs. */
  ready: 0,
  /** 1 while the worker sleeps, or is about to, until `published` changes. */
  asleep: 1,
  /** The number of the last job that is finished or was found taken. */
  done: 2,
  /** 1 when a call of the current job threw; the error is a message on the port. */
  failed: 3,
  /** How many records the worker has left behind, as of the last `end` or `wrap`. */
  consumed: 4,
  /** How many records were written. */
  published: 16,
  /** 1 while the caller sleeps, or is about to, until `done` or `consumed` changes. */
  callerAsleep: 17,
  /** The number of the last job that somebody computes: a worker claims it when it begins it, the caller to take it back. */
  claimed: 32,
})

/** Kinds of records that are no calls. `begin` and `end` carry the job's number; after `wrap` the ring starts over. */
export const kind = Object.freeze({ begin: -1, end: -2, wrap: -3 })

const headerBytes = 256
const ringLength = 2 ** 18

/** Bytes of the shared buffer: about 2 MiB, room for some 20,000 calls. */
export const bufferBytes = headerBytes + 8 * ringLength

/** @param {SharedArrayBuffer} buffer */
export const wordsOf = buffer => new Int32Array(buffer, 0, headerBytes / 4)

/** @param {SharedArrayBuffer} buffer */
export const ringOf = buffer => new Float64Array(buffer, headerBytes, ringLength)
