import { Inflate } from 'fflate'

/** Deflate makes at most 1032 bytes of one: pieces this small overshoot the wanted size by no more than 4 MB. */
const PIECE = 4096

/** Bytes of content per packed byte that memory is taken for at first: an announced size may be a lie. */
const FIRST_GUESS = 4

const grown = (bytes: Uint8Array, size: number): Uint8Array<ArrayBuffer> => {
  const larger = new Uint8Array(size)
  larger.set(bytes)
  return larger
}

/**
 * Unpacks a deflate stream (RFC 1951) that must give exactly `size` bytes; stops as soon as there are more, so that a
 * small file cannot fill the memory.
 *
 * @throws Error saying what is wrong
 */
export const inflateExactly = (packed: Uint8Array, size: number): Uint8Array => {
  let content = new Uint8Array(Math.min(size, FIRST_GUESS * packed.length))
  let done = 0
  const stream = new Inflate(part => {
    if (done + part.length > size) throw new RangeError(`it holds more than the ${size} bytes announced`)
    if (done + part.length > content.length) content = grown(content, Math.min(size, Math.max(2 * content.length, done + part.length)))
    content.set(part, done)
    done += part.length
  })
  for (let at = 0; at < packed.length || at === 0; at += PIECE) {
    stream.push(packed.subarray(at, at + PIECE), at + PIECE >= packed.length)
  }
  if (done !== size) throw new RangeError(`it holds ${done} bytes, ${size} were announced`)
  return content
}
