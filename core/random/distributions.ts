import type { Key } from './key.ts'
import { normalQuantile } from './normalQuantile.ts'
import { fillThreefryBlocks } from './threefry2x32.ts'

/**
 * Random values from a key, in float64 on the host.
 *
 * Element i of every draw but `permutation` depends on (key, i) only, so a longer draw begins with the shorter one.
 * Each element spends one Threefry block, of which the upper 52 bits give an integer k in [0, 2^52).
 */

/** Blocks made at a time: 8 KiB of words stay in the first-level cache. */
const CHUNK = 1024
const words = new Uint32Array(2 * CHUNK)

const checkCount = (operation: string, count: number): void => {
  if (!Number.isInteger(count) || count < 0) {
    throw new RangeError(`${operation}: count must be a non-negative integer, got ${count}; pass the number of elements`)
  }
}

/** 2^52 times the uniform value of two words. */
const integer52 = (high: number, low: number): number => high * 2 ** 20 + (low >>> 12)

/** Uniform on the grid k 2^-52 in [0, 1); the same values as JAX draws in float64. */
export const uniform = (key: Key, count: number): Float64Array => {
  checkCount('uniform', count)
  const out = new Float64Array(count)
  for (let start = 0; start < count; start += CHUNK) {
    const size = Math.min(CHUNK, count - start)
    fillThreefryBlocks(key, start, words.subarray(0, 2 * size))
    for (let i = 0; i < size; i++) out[start + i] = integer52(words[2 * i]!, words[2 * i + 1]!) * 2 ** -52
  }
  return out
}

/**
 * Standard normal, z = Phi^-1((k + 1/2) 2^-52): one value per counter without rejection, and |z| <= 8.21.
 * The half step keeps the quantile finite and the distribution symmetric.
 */
export const normal = (key: Key, count: number): Float64Array => {
  checkCount('normal', count)
  const out = new Float64Array(count)
  for (let start = 0; start < count; start += CHUNK) {
    const size = Math.min(CHUNK, count - start)
    fillThreefryBlocks(key, start, words.subarray(0, 2 * size))
    for (let i = 0; i < size; i++) {
      out[start + i] = normalQuantile((integer52(words[2 * i]!, words[2 * i + 1]!) + 0.5) * 2 ** -52)
    }
  }
  return out
}

/**
 * Integers in [low, high), low + floor(u (high - low)); each has its probability 1 / (high - low) up to 2^-52.
 * `low` and `high` are 32-bit signed integers, `high` at most 2^31.
 */
export const randint = (key: Key, count: number, low: number, high: number): Int32Array => {
  if (!Number.isInteger(low) || !Number.isInteger(high) || low >= high || low < -(2 ** 31) || high > 2 ** 31) {
    throw new RangeError(`randint: needs integers low < high within int32, got low ${low} and high ${high}; high itself is never drawn`)
  }
  return Int32Array.from(uniform(key, count), u => low + Math.floor(u * (high - low)))
}

/** A uniformly random order of 0, ..., n - 1 (Fisher-Yates). */
export const permutation = (key: Key, n: number): Int32Array => {
  checkCount('permutation', n)
  const order = Int32Array.from({ length: n }, (_, i) => i)
  const u = uniform(key, n)
  for (let last = n - 1; last > 0; last--) {
    const chosen = Math.floor(u[last]! * (last + 1))
    const value = order[last]!
    order[last] = order[chosen]!
    order[chosen] = value
  }
  return order
}
