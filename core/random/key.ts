import { threefry2x32 } from './threefry2x32.ts'

/**
 * A key names a stream of random numbers: two unsigned 32-bit words, plain data.
 *
 * A key is used once: either values are drawn from it or other keys are derived from it, never both.
 * `key`, `split` and `foldIn` of an integer give the same words as JAX (threefry2x32, partitionable, 64-bit mode).
 */
export type Key = readonly [number, number]

const TWO_32 = 2 ** 32

/** The counter words (high, low) of a non-negative safe integer. */
const wordsOf = (operation: string, value: number): [number, number] => {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(`${operation}: needs an integer in [0, 2^53), got ${value}; use a non-negative whole number`)
  }
  return [Math.floor(value / TWO_32), value >>> 0]
}

/** The root key of a seed in [0, 2^53). */
export const key = (seed: number): Key => wordsOf('key', seed)

/** `n` new keys; a longer split begins with the keys of a shorter one. */
export const split = (parent: Key, n = 2): Key[] => {
  wordsOf('split', n)
  return Array.from({ length: n }, (_, i) => threefry2x32(parent, wordsOf('split', i)))
}

const utf8 = new TextEncoder()

/**
 * The key of `parent` for one datum: an integer in [0, 2^53) or a string.
 *
 * An integer is one block, with the integer as its counter. A string is chained through one block per four UTF-8 bytes;
 * the counter's high word then has its top bit set, so that no integer meets it, and carries the length in bytes, so that
 * no string meets the beginning of a longer one.
 */
export const foldIn = (parent: Key, data: number | string): Key => {
  if (typeof data === 'number') return threefry2x32(parent, wordsOf('foldIn', data))
  const bytes = utf8.encode(data)
  const tag = (0x80000000 | bytes.length) >>> 0
  let folded: Key = threefry2x32(parent, [tag, 0])
  for (let i = 0; i < bytes.length; i += 4) {
    const word = bytes[i]! | ((bytes[i + 1] ?? 0) << 8) | ((bytes[i + 2] ?? 0) << 16) | ((bytes[i + 3] ?? 0) << 24)
    folded = threefry2x32(folded, [tag, word >>> 0])
  }
  return folded
}
