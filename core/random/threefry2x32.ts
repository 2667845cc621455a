/**
 * Threefry-2x32 with 20 rounds: a keyed bijection of 64-bit counters whose outputs pass as independent random bits.
 *
 * Source: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011); the block JAX uses too.
 * One round is `x0 += x1; x1 = rotl(x1, R) ^ x0`, modulo 2^32; after every fourth round the next key words are added.
 * All words are unsigned 32-bit integers.
 */

/** The Skein parity word that completes the three-word key schedule. */
const PARITY = 0x1bd11bda

/** Encrypts one counter into `out[at]` and `out[at + 1]`. */
const encrypt = (key0: number, key1: number, counter0: number, counter1: number, out: Uint32Array, at: number): void => {
  let a = key0 | 0
  let b = key1 | 0
  let c = a ^ b ^ PARITY
  let x0 = (counter0 + a) | 0
  let x1 = (counter1 + b) | 0
  for (let injection = 1; injection <= 5; injection++) {
    if ((injection & 1) === 1) {
      x0 = (x0 + x1) | 0
      x1 = ((x1 << 13) | (x1 >>> 19)) ^ x0
      x0 = (x0 + x1) | 0
      x1 = ((x1 << 15) | (x1 >>> 17)) ^ x0
      x0 = (x0 + x1) | 0
      x1 = ((x1 << 26) | (x1 >>> 6)) ^ x0
      x0 = (x0 + x1) | 0
      x1 = ((x1 << 6) | (x1 >>> 26)) ^ x0
    } else {
      x0 = (x0 + x1) | 0
      x1 = ((x1 << 17) | (x1 >>> 15)) ^ x0
      x0 = (x0 + x1) | 0
      x1 = ((x1 << 29) | (x1 >>> 3)) ^ x0
      x0 = (x0 + x1) | 0
      x1 = ((x1 << 16) | (x1 >>> 16)) ^ x0
      x0 = (x0 + x1) | 0
      x1 = ((x1 << 24) | (x1 >>> 8)) ^ x0
    }
    const first = a
    a = b
    b = c
    c = first
    x0 = (x0 + a) | 0
    x1 = (x1 + b + injection) | 0
  }
  out[at] = x0
  out[at + 1] = x1
}

const scratch = new Uint32Array(2)

/** The block of one counter: two words in, two words out. */
export const threefry2x32 = (key: readonly [number, number], counter: readonly [number, number]): [number, number] => {
  encrypt(key[0], key[1], counter[0], counter[1], scratch, 0)
  return [scratch[0]!, scratch[1]!]
}

/**
 * The blocks of the counters `firstBlock, firstBlock + 1, ...`, two words each, until `out` is full.
 * A counter above 2^32 - 1 carries into its high word, as a 64-bit counter does.
 */
export const fillThreefryBlocks = (key: readonly [number, number], firstBlock: number, out: Uint32Array): void => {
  const [key0, key1] = key
  let high = Math.floor(firstBlock / 2 ** 32)
  let low = firstBlock | 0
  for (let i = 0; i < out.length; i += 2) {
    encrypt(key0, key1, high, low, out, i)
    low = (low + 1) | 0
    if (low === 0) high++
  }
}
