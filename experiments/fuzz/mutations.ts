import { randint, uniform } from '../../core/random/distributions.ts'
import { foldIn, type Key } from '../../core/random/key.ts'

/** Whole numbers from 0 to below a limit, one after the other. */
export type Dice = (limit: number) => number

/** Enough for any case: a mutation takes at most six. */
const DRAWS = 64

export const diceOf = (key: Key): Dice => {
  const draws = uniform(key, DRAWS)
  let next = 0
  return limit => Math.floor(draws[next++ % DRAWS]! * limit)
}

/** Changes a file; may return the bytes it was given when there is nothing to change. */
export type Mutation = (bytes: Uint8Array, dice: Dice) => Uint8Array

const spliced = (bytes: Uint8Array, at: number, removed: number, inserted: Uint8Array): Uint8Array => {
  const result = new Uint8Array(Math.max(0, bytes.length - removed) + inserted.length)
  result.set(bytes.subarray(0, at))
  result.set(inserted, at)
  result.set(bytes.subarray(at + removed), at + inserted.length)
  return result
}

/** A run of bytes within a file, most often a short one. */
const run = (bytes: Uint8Array, dice: Dice): { at: number; size: number } => {
  const at = dice(bytes.length)
  const longest = Math.min(bytes.length - at, dice(4) === 0 ? bytes.length : 40)
  return { at, size: longest === 0 ? 0 : 1 + dice(longest) }
}

/** Numbers at which lengths and counts go wrong. */
const ODD_NUMBERS = [0n, 1n, 0x7fn, 0x80n, 0xffn, 0xffffn, 0x7fffffffn, 0x80000000n, 0xffffffffn, 2n ** 53n, 2n ** 63n - 1n, 2n ** 64n - 1n]
const ODD_BYTES = [0, 1, 0x22, 0x28, 0x2c, 0x2e, 0x30, 0x39, 0x52, 0x68, 0x71, 0x7b, 0x7d, 0x7f, 0x80, 0x93, 0xff]
const TOKENS = ['0', '-1', '1e999', '4294967296', 'null', 'true', '"x"', '""', '[]', '{}', '[[[[[[[[', 'NaN', '\u0000', '9'.repeat(40)]

const flipBits: Mutation = (bytes, dice) => {
  const result = bytes.slice()
  for (let flips = 1 + dice(3); flips > 0; flips--) {
    const at = dice(bytes.length)
    result[at] = result[at]! ^ (1 << dice(8))
  }
  return result
}

const setByte: Mutation = (bytes, dice) => {
  const result = bytes.slice()
  result[dice(bytes.length)] = ODD_BYTES[dice(ODD_BYTES.length)]!
  return result
}

const truncate: Mutation = (bytes, dice) => bytes.slice(0, dice(bytes.length))

const remove: Mutation = (bytes, dice) => {
  const { at, size } = run(bytes, dice)
  return spliced(bytes, at, size, new Uint8Array(0))
}

const duplicate: Mutation = (bytes, dice) => {
  const { at, size } = run(bytes, dice)
  return spliced(bytes, at, 0, bytes.slice(at, at + size))
}

/** Overwrites a place with bytes from another. */
const splice: Mutation = (bytes, dice) => {
  const { at, size } = run(bytes, dice)
  const to = dice(bytes.length)
  return spliced(bytes, to, Math.min(size, bytes.length - to), bytes.slice(at, at + size))
}

const insertNoise: Mutation = (bytes, dice) => {
  const noise = Uint8Array.from(randint(foldIn([dice(2 ** 31), dice(2 ** 31)], 'noise'), 1 + dice(60), 0, 256))
  return spliced(bytes, dice(bytes.length + 1), 0, noise)
}

/** Writes an odd number over 1, 2, 4 or 8 bytes, in either order: what a length field that lies looks like. */
const lie: Mutation = (bytes, dice) => {
  const width = [1, 2, 4, 8][dice(4)]!
  if (bytes.length < width) return bytes
  const value = ODD_NUMBERS[dice(ODD_NUMBERS.length)]!
  const bigEndian = dice(2) === 0
  const result = bytes.slice()
  const at = dice(bytes.length - width + 1)
  for (let i = 0; i < width; i++) result[at + (bigEndian ? width - 1 - i : i)] = Number((value >> BigInt(8 * i)) & 0xffn)
  return result
}

/** Replaces a number or word of a text by something else. */
const retoken: Mutation = (bytes, dice) => {
  const isWord = (byte: number | undefined): boolean => byte !== undefined && /[\w.+-]/.test(String.fromCharCode(byte))
  let begin = dice(bytes.length)
  while (begin > 0 && isWord(bytes[begin - 1])) begin--
  let end = begin
  while (isWord(bytes[end])) end++
  return spliced(bytes, begin, end - begin, new TextEncoder().encode(TOKENS[dice(TOKENS.length)]))
}

const GENERAL: readonly Mutation[] = [flipBits, setByte, truncate, remove, duplicate, splice, insertNoise, lie, retoken]

/** Most files get one change, since several hide one another. */
const CHANGES = [1, 1, 1, 2, 3]

/** One to three random changes. */
export const mutated: Mutation = (bytes, dice) => {
  // A copy, of a plain array, since `slice` of a Node Buffer would share memory with the file it is to be damaged again from.
  let result: Uint8Array = Uint8Array.from(bytes)
  for (let changes = CHANGES[dice(CHANGES.length)]!; changes > 0 && result.length > 0; changes--)
    result = GENERAL[dice(GENERAL.length)]!(result, dice)
  return result
}
