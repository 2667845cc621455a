import { FileError } from './fileError.ts'
import { inflateExactly } from './zipInflate.ts'

export const isGzip = (bytes: Uint8Array): boolean => bytes.length >= 2 && bytes[0] === 0x1f && bytes[1] === 0x8b

const HEADER_BYTES = 10
/** CRC-32 and size of the content, 4 bytes each. */
const TRAILER_BYTES = 8
/** Deflate makes at most 1032 bytes of one. */
const MAX_EXPANSION = 1032
const FLAG_HEADER_CRC = 2
const FLAG_EXTRA = 4
const FLAG_NAME = 8
const FLAG_COMMENT = 16

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
  return crc
})

/** CRC-32 as in gzip, zip and PNG (reflected polynomial 0xEDB88320), an unsigned 32-bit number. */
export const crc32 = (bytes: Uint8Array): number => {
  let crc = 0xffffffff
  for (let i = 0; i < bytes.length; i++) crc = CRC_TABLE[(crc ^ bytes[i]) & 255] ^ (crc >>> 8)
  return (crc ^ 0xffffffff) >>> 0
}

/** Where the compressed stream begins: after the fixed header and the optional fields its flags announce (RFC 1952). */
const streamStart = (bytes: Uint8Array): number => {
  const flags = bytes[3]
  let at = HEADER_BYTES
  if (flags & FLAG_EXTRA) at += 2 + bytes[at] + 256 * bytes[at + 1]
  for (const flag of [FLAG_NAME, FLAG_COMMENT]) {
    if (!(flags & flag)) continue
    const zero = bytes.indexOf(0, at)
    at = zero < 0 ? bytes.length : zero + 1
  }
  return flags & FLAG_HEADER_CRC ? at + 2 : at
}

/**
 * The content of a gzip file with one member, checked against the CRC-32 and size in its trailer (RFC 1952).
 *
 * fflate inflates; its own gunzip checks neither and would take the size of a truncated file from random bytes. Memory is
 * that of the size in the trailer, which the content may not exceed.
 *
 * @throws FileError when the file is no gzip, is truncated or damaged
 */
export const gunzip = (bytes: Uint8Array, source: string): Uint8Array => {
  const fail = (rule: string, cause?: unknown): never => {
    throw new FileError(source, rule, 'the file is damaged, fetch it again', { cause })
  }
  if (!isGzip(bytes)) return fail('this is not a gzip file')
  if (bytes.length < HEADER_BYTES + TRAILER_BYTES) return fail(`gzip file is truncated: it has ${bytes.length} bytes`)
  if (bytes[2] !== 8) return fail(`gzip compression method ${bytes[2]} is unknown, only 8 (deflate) exists`)
  const start = streamStart(bytes)
  const end = bytes.length - TRAILER_BYTES
  if (!(start < end)) return fail('gzip file is truncated in its header')
  const trailer = new DataView(bytes.buffer, bytes.byteOffset + end, TRAILER_BYTES)
  const [wantedCrc, wantedSize] = [trailer.getUint32(0, true), trailer.getUint32(4, true)]
  if (wantedSize > MAX_EXPANSION * (end - start))
    return fail(`gzip file of ${bytes.length} bytes is truncated or damaged: it cannot hold the ${wantedSize} that its end says`)
  let content: Uint8Array
  try {
    content = inflateExactly(bytes.subarray(start, end), wantedSize)
  } catch (cause) {
    return fail(`gzip file is truncated or damaged (${(cause as Error).message})`, cause)
  }
  if (wantedCrc !== crc32(content))
    return fail(`gzip checksum is ${crc32(content).toString(16)}, the file's end says ${wantedCrc.toString(16)}`)
  return content
}
