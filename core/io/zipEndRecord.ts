import type { ByteSource } from './byteSource.ts'
import { FileError } from './fileError.ts'

/** Where the table of contents of an archive lies, and how many entries it has. */
export interface EndRecord {
  readonly begin: number
  readonly end: number
  readonly count: number
}

const AGAIN = 'the archive is cut off or damaged, fetch it again'
const SIGNATURE = 0x06054b50
const BYTES = 22
const MAX_COMMENT = 0xffff
const ZIP64_LOCATOR_SIGNATURE = 0x07064b50
const ZIP64_LOCATOR_BYTES = 20
const ZIP64_SIGNATURE = 0x06064b50
const ZIP64_BYTES = 56
/** The fixed part of a table entry. */
const SMALLEST_ENTRY = 46

/**
 * The record at the end of a zip archive (the zip64 one where there is one), found from the back behind a comment of
 * any length.
 *
 * @throws FileError when there is none or it points outside the file
 */
export const endRecord = (source: ByteSource): EndRecord => {
  const at = findRecord(source)
  const record = viewOf(source, at, BYTES)
  const parts = [record.getUint16(4, true), record.getUint16(6, true)]
  const found = zip64Record(source, at) ?? {
    begin: record.getUint32(16, true),
    end: record.getUint32(16, true) + record.getUint32(12, true),
    count: record.getUint16(10, true),
  }
  if (parts.some(part => part !== 0 && part !== 0xffff))
    throw new FileError(source.name, 'the archive has several parts', 'join them first')
  const { begin, end, count } = found
  if (![begin, end, count].every(Number.isSafeInteger) || end > at || begin > end || count * SMALLEST_ENTRY > end - begin) {
    throw new FileError(source.name, `the table of contents claims ${count} entries in bytes ${begin} to ${end} of ${at}`, AGAIN)
  }
  return found
}

const viewOf = (source: ByteSource, begin: number, size: number): DataView => {
  const bytes = source.read(begin, begin + size)
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
}

const findRecord = (source: ByteSource): number => {
  const begin = Math.max(0, source.size - BYTES - MAX_COMMENT)
  const tail = viewOf(source, begin, source.size - begin)
  for (let at = tail.byteLength - BYTES; at >= 0; at--) {
    if (tail.getUint32(at, true) === SIGNATURE && at + BYTES + tail.getUint16(at + 20, true) === tail.byteLength) return begin + at
  }
  throw new FileError(source.name, `no zip table of contents in ${source.size} bytes`, AGAIN)
}

const zip64Record = (source: ByteSource, recordAt: number): EndRecord | null => {
  const locatorAt = recordAt - ZIP64_LOCATOR_BYTES
  if (locatorAt < 0) return null
  const locator = viewOf(source, locatorAt, ZIP64_LOCATOR_BYTES)
  if (locator.getUint32(0, true) !== ZIP64_LOCATOR_SIGNATURE) return null
  const at = Number(locator.getBigUint64(8, true))
  if (at + ZIP64_BYTES > locatorAt) throw new FileError(source.name, `the zip64 record is said to be at byte ${at}`, AGAIN)
  const record = viewOf(source, at, ZIP64_BYTES)
  if (record.getUint32(0, true) !== ZIP64_SIGNATURE) throw new FileError(source.name, `there is no zip64 record at byte ${at}`, AGAIN)
  const begin = Number(record.getBigUint64(48, true))
  return { begin, end: begin + Number(record.getBigUint64(40, true)), count: Number(record.getBigUint64(32, true)) }
}
