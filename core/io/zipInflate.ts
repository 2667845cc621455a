import { Inflate } from 'fflate'

/** Deflate makes at most 1032 bytes of one: pieces this small overshoot the wanted size by no more than 4 MB. */
const PIECE = 4096

/**
 * Unpacks a deflate stream (RFC 1951) that must give exactly `size` bytes; stops as soon as there are more, so that a
 * small file cannot fill the memory.
 *
 * @throws Error saying what is wrong
 */
export const inflateExactly = (packed: Uint8Array, size: number): Uint8Array => {
  const content = new Uint8Array(size)
  let done = 0
  const stream = new Inflate(part => {
    if (done + part.length > size) throw new RangeError(`it holds more than the ${size} bytes announced`)
    content.set(part, done)
    done += part.length
  })
  for (let at = 0; at < packed.length || at === 0; at += PIECE) {
    stream.push(packed.subarray(at, at + PIECE), at + PIECE >= packed.length)
  }
  if (done !== size) throw new RangeError(`it holds ${done} bytes, ${size} were announced`)
  return content
}
