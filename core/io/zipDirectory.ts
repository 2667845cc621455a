import type { ByteSource } from './byteSource.ts'
import { FileError, quoteKey } from './fileError.ts'
import type { MemoryBudget } from './memoryBudget.ts'
import { endRecord } from './zipEndRecord.ts'

/** One file of an archive, as its table of contents has it. */
export interface ZipEntry {
  readonly name: string
  readonly rawName: Uint8Array
  readonly method: number
  readonly crc: number
  /** Bytes in the archive, and bytes of the content. */
  readonly storedSize: number
  readonly size: number
  /** Where its local header begins, and where the next thing in the archive does. */
  readonly offset: number
  readonly limit: number
}

const AGAIN = 'the archive is damaged, fetch it again'
const SIGNATURE = 0x02014b50
const FIXED_BYTES = 46
/** What one entry takes in memory beside its name. */
const ENTRY_MEMORY = 256
const FLAG_ENCRYPTED = 1
const IN_ZIP64 = 0xffffffff
const ZIP64_EXTRA = 1

/**
 * The table of contents of a zip archive. Folders are left out.
 *
 * Checked: that names are relative, without `..`, drive letters or backslashes, and unique; that no file is encrypted;
 * that stored files are as long as their content; that files lie before the table and overlap nowhere.
 *
 * @throws FileError naming what breaks a rule
 */
export const zipDirectory = (source: ByteSource, budget: MemoryBudget): ReadonlyMap<string, ZipEntry> => {
  const { begin, end, count } = endRecord(source)
  budget.spend(end - begin + count * ENTRY_MEMORY, 'the table of contents')
  const bytes = source.read(begin, end)
  const found: Omit<ZipEntry, 'limit'>[] = []
  let at = 0
  for (let i = 0; i < count; i++) {
    const { entry, next } = readEntry(bytes, at, source.name)
    found.push(entry)
    at = next
  }
  if (at !== bytes.length) throw new FileError(source.name, `the table of contents has ${bytes.length} bytes, its entries ${at}`, AGAIN)
  return indexed(withLimits(found, begin, source.name), source.name)
}

const readEntry = (bytes: Uint8Array, at: number, source: string): { entry: Omit<ZipEntry, 'limit'>; next: number } => {
  const cut = (): never => {
    throw new FileError(source, 'the table of contents is cut off', AGAIN)
  }
  if (at + FIXED_BYTES > bytes.length) return cut()
  const fixed = new DataView(bytes.buffer, bytes.byteOffset + at, FIXED_BYTES)
  if (fixed.getUint32(0, true) !== SIGNATURE) throw new FileError(source, 'the table of contents has an entry without signature', AGAIN)
  const nameEnd = at + FIXED_BYTES + fixed.getUint16(28, true)
  const extraEnd = nameEnd + fixed.getUint16(30, true)
  const next = extraEnd + fixed.getUint16(32, true)
  if (next > bytes.length) return cut()
  const rawName = bytes.subarray(at + FIXED_BYTES, nameEnd)
  const name = new TextDecoder('utf-8', { ignoreBOM: true }).decode(rawName)
  const sizes = [fixed.getUint32(24, true), fixed.getUint32(20, true), fixed.getUint32(42, true)]
  const [size, storedSize, offset] = withZip64(sizes, bytes.subarray(nameEnd, extraEnd))
  const entry = { name, rawName, method: fixed.getUint16(10, true), crc: fixed.getUint32(16, true), storedSize, size, offset }
  checkEntry(entry, fixed.getUint16(8, true), source)
  return { entry, next }
}

/** Sizes beyond 4 GiB stand in the zip64 extra field, in this order and only those that are marked. */
const withZip64 = (sizes: readonly number[], extra: Uint8Array): number[] => {
  const view = new DataView(extra.buffer, extra.byteOffset, extra.length)
  for (let at = 0; at + 4 <= extra.length; at += 4 + view.getUint16(at + 2, true)) {
    if (view.getUint16(at, true) !== ZIP64_EXTRA) continue
    let next = at + 4
    return sizes.map(size => {
      if (size !== IN_ZIP64 || next + 8 > extra.length) return size
      next += 8
      return Number(view.getBigUint64(next - 8, true))
    })
  }
  return [...sizes]
}

const checkEntry = (entry: Omit<ZipEntry, 'limit'>, flags: number, source: string): void => {
  const fail = (rule: string, remedy = AGAIN): never => {
    throw new FileError(source, `file ${quoteKey(entry.name)} of the archive ${rule}`, remedy)
  }
  if (!isSafeName(entry.name)) fail('has a name that leads out of the archive', 'do not use this archive, it may be an attack')
  if (flags & FLAG_ENCRYPTED) fail('is encrypted', 'decrypt the archive first')
  if (entry.method === 0 && entry.size !== entry.storedSize) fail(`is stored in ${entry.storedSize} bytes but has ${entry.size}`)
}

const isSafeName = (name: string): boolean =>
  name !== '' && !/[\\:\p{Cc}\ufffd]/u.test(name) && !name.startsWith('/') && !name.split('/').includes('..')

/** Each entry with the place where the next one begins; only then is a file's room known. */
const withLimits = (entries: readonly Omit<ZipEntry, 'limit'>[], tableBegin: number, source: string): ZipEntry[] => {
  const byOffset = [...entries].sort((a, b) => b.offset - a.offset)
  const limits = new Map<Omit<ZipEntry, 'limit'>, number>()
  let limit = tableBegin
  for (const entry of byOffset) {
    if (entry.offset + entry.storedSize > limit || entry.offset === limit) {
      throw new FileError(source, `file ${quoteKey(entry.name)} of the archive overlaps what lies at byte ${limit}`, AGAIN)
    }
    limits.set(entry, limit)
    limit = entry.offset
  }
  return entries.map(entry => ({ ...entry, limit: limits.get(entry)! }))
}

const indexed = (entries: readonly ZipEntry[], source: string): Map<string, ZipEntry> => {
  const index = new Map<string, ZipEntry>()
  for (const entry of entries) {
    if (index.has(entry.name)) throw new FileError(source, `the archive has two files ${quoteKey(entry.name)}`, AGAIN)
    index.set(entry.name, entry)
  }
  return new Map([...index].filter(([name]) => !name.endsWith('/')))
}
