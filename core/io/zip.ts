import type { ByteSource } from './byteSource.ts'
import { FileError, quoteKey } from './fileError.ts'
import { crc32 } from './gzip.ts'
import type { MemoryBudget } from './memoryBudget.ts'
import { type ZipEntry, zipDirectory } from './zipDirectory.ts'
import { inflateExactly } from './zipInflate.ts'

/** An archive whose table of contents has been checked; contents are read one by one. */
export interface ZipArchive {
  /** The names of the files in it, in the order of the table of contents. */
  readonly names: readonly string[]
  readonly has: (name: string) => boolean
  /** The size of a file's content in bytes. */
  readonly sizeOf: (name: string) => number
  /**
   * A file's content, checked against its size and CRC-32. It may share the memory of the archive.
   * @throws FileError when the archive has no such file or the file is damaged
   */
  readonly read: (name: string) => Uint8Array
}

const AGAIN = 'the archive is damaged, fetch it again'
const LOCAL_HEADER_BYTES = 30
const LOCAL_SIGNATURE = 0x04034b50
const STORED = 0
const DEFLATED = 8

/**
 * Opens a zip archive (PKWARE APPNOTE 6.3.10; zip64, stored and deflated files; no encryption, no parts).
 *
 * Nothing is trusted twice: names, sizes and places come from the table of contents alone, and what the local headers
 * say beside it must agree.
 *
 * @throws FileError see `zipDirectory`
 */
export const openZip = (source: ByteSource, budget: MemoryBudget): ZipArchive => {
  const entries = zipDirectory(source, budget)
  const entryOf = (name: string): ZipEntry => {
    const entry = entries.get(name)
    if (!entry) throw new FileError(source.name, `the archive has no file ${quoteKey(name)}`, AGAIN)
    return entry
  }
  return {
    names: [...entries.keys()],
    has: name => entries.has(name),
    sizeOf: name => entryOf(name).size,
    read: name => readEntry(source, entryOf(name), budget),
  }
}

const readEntry = (source: ByteSource, entry: ZipEntry, budget: MemoryBudget): Uint8Array => {
  const fail = (rule: string, remedy = AGAIN, cause?: unknown): never => {
    throw new FileError(source.name, `file ${quoteKey(entry.name)} of the archive ${rule}`, remedy, { cause })
  }
  const begin = dataStart(source, entry, fail)
  const raw = source.read(begin, begin + entry.storedSize)
  let content = raw
  if (entry.method === DEFLATED) {
    budget.spend(entry.size, `unpacking ${quoteKey(entry.name)}`)
    try {
      content = inflateExactly(raw, entry.size)
    } catch (cause) {
      return fail(`cannot be unpacked (${(cause as Error).message})`, AGAIN, cause)
    }
  } else if (entry.method !== STORED) {
    return fail(`is compressed by method ${entry.method}`, 'pack it again, stored or deflated')
  }
  const crc = crc32(content)
  if (crc !== entry.crc) return fail(`has checksum ${crc.toString(16)}, the table of contents says ${entry.crc.toString(16)}`)
  return content
}

/** Where the content begins: behind the local header, whose extra field may differ from the one in the table. */
const dataStart = (source: ByteSource, entry: ZipEntry, fail: (rule: string) => never): number => {
  const headerEnd = entry.offset + LOCAL_HEADER_BYTES
  if (headerEnd > entry.limit) return fail('has no room for its header')
  const bytes = source.read(entry.offset, headerEnd)
  const header = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  if (header.getUint32(0, true) !== LOCAL_SIGNATURE) return fail(`has no header at byte ${entry.offset}`)
  if (header.getUint16(8, true) !== entry.method) return fail('has another compression method in its header than in the table of contents')
  const nameSize = header.getUint16(26, true)
  const begin = headerEnd + nameSize + header.getUint16(28, true)
  if (begin + entry.storedSize > entry.limit) {
    return fail(`needs bytes ${begin} to ${begin + entry.storedSize}, it has room to byte ${entry.limit}`)
  }
  const name = source.read(headerEnd, headerEnd + nameSize)
  if (name.length !== entry.rawName.length || !name.every((byte, i) => byte === entry.rawName[i]))
    return fail('has another name in its header')
  return begin
}
