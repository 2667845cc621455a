import type { ByteSource } from './byteSource.ts'
import { duplicateKey } from './duplicateKey.ts'
import { FileError, quoteKey } from './fileError.ts'
import { CODECS, elementCount, type HostDtype, isHostDtype } from './hostTensor.ts'

/** The format's own limit on the JSON header, against files that ask for absurd amounts of memory. */
export const MAX_HEADER_BYTES = 100_000_000
/** The bytes of the header's length in front of it: an unsigned 64-bit little-endian integer. */
export const LENGTH_BYTES = 8
export const METADATA_KEY = '__metadata__'

export interface HeaderEntry {
  readonly key: string
  readonly dtype: HostDtype
  readonly shape: readonly number[]
  /** Offsets in the file, not in its data section. */
  readonly begin: number
  readonly end: number
}

export interface SafetensorsHeader {
  /** In the order of the header, which is the order of the tensors' names and need not be that of their data. */
  readonly entries: readonly HeaderEntry[]
  readonly metadata: Record<string, string>
}

const AGAIN = 'the file is damaged, download or train it again'

/**
 * Reads and checks the header of a safetensors file: everything that can be known without looking at the values.
 *
 * Layout: header length N (8 bytes), N bytes of JSON `{ name: { dtype, shape, data_offsets: [begin, end] } }` with
 * offsets relative to the data section, then the data section. Checked: N against 100 MB and the file's size, UTF-8 and
 * JSON, duplicate keys, dtype, shape, that shape and dtype need exactly the bytes given, and that the tensors cover the
 * data section to its last byte without holes or overlaps.
 *
 * Reads no byte behind the header.
 *
 * @throws FileError
 */
export const readHeader = (file: ByteSource): SafetensorsHeader => {
  const { name: source, size: fileSize } = file
  const dataStart = LENGTH_BYTES + headerLength(file)
  const json = parseHeaderJson(file.read(LENGTH_BYTES, dataStart), source)
  const entries = Object.entries(json)
    .filter(([key]) => key !== METADATA_KEY)
    .map(([key, value]) => readEntry(key, value, { source, dataStart }))
  checkCoverage(entries, { source, dataStart, fileSize })
  return { entries, metadata: readMetadata(json[METADATA_KEY], source) }
}

const headerLength = ({ name: source, size, read }: ByteSource): number => {
  if (size < LENGTH_BYTES) {
    throw new FileError(source, `file has ${size} bytes, a safetensors file has at least ${LENGTH_BYTES}`, AGAIN)
  }
  const bytes = read(0, LENGTH_BYTES)
  const length = new DataView(bytes.buffer, bytes.byteOffset, LENGTH_BYTES).getBigUint64(0, true)
  if (length > BigInt(MAX_HEADER_BYTES)) {
    throw new FileError(
      source,
      `header length ${length} is above the limit of ${MAX_HEADER_BYTES} bytes`,
      'check that it is a safetensors file',
    )
  }
  const needed = LENGTH_BYTES + Number(length)
  if (needed > size) {
    throw new FileError(source, `file is truncated: its header ends at byte ${needed}, the file has ${size}`, 'download or train it again')
  }
  return Number(length)
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)

const parseHeaderJson = (bytes: Uint8Array, source: string): Record<string, unknown> => {
  let text: string
  let json: unknown
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    json = JSON.parse(text)
  } catch (cause) {
    throw new FileError(source, `the header is not JSON in UTF-8 (${(cause as Error).message})`, AGAIN, { cause })
  }
  if (!isObject(json)) throw new FileError(source, 'the header is JSON but no object', AGAIN)
  const twice = duplicateKey(text)
  if (twice !== null)
    throw new FileError(source, `key ${quoteKey(twice)} occurs twice in the header`, 'write the file again with unique names')
  return json
}

const readMetadata = (value: unknown, source: string): Record<string, string> => {
  if (value === undefined) return {}
  if (!isObject(value)) throw new FileError(source, `key "${METADATA_KEY}" must be an object of strings`, AGAIN)
  const bad = Object.keys(value).find(key => typeof value[key] !== 'string')
  if (bad !== undefined) {
    throw new FileError(
      source,
      `key "${METADATA_KEY}": ${quoteKey(bad)} must be a string, got ${typeof value[bad]}`,
      'write the file again with text values',
    )
  }
  return value as Record<string, string>
}

const isOffset = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

const readEntry = (key: string, value: unknown, { source, dataStart }: { source: string; dataStart: number }): HeaderEntry => {
  const fail = (rule: string, remedy = AGAIN): never => {
    throw new FileError(source, `tensor ${quoteKey(key)}: ${rule}`, remedy)
  }
  if (!isObject(value)) return fail('its header entry must be an object with dtype, shape and data_offsets')
  const extra = Object.keys(value).find(field => !['dtype', 'shape', 'data_offsets'].includes(field))
  if (extra !== undefined) return fail(`unknown field ${quoteKey(extra)} in its header entry`)
  const { dtype, shape, data_offsets: offsets } = value
  if (typeof dtype !== 'string') return fail(`dtype must be a text, got ${typeof dtype}`)
  if (!isHostDtype(dtype)) {
    const known = Object.keys(CODECS).join(', ')
    return fail(`dtype ${quoteKey(dtype)} is not one of ${known}`, 'save the tensor as one of these, F32 for instance')
  }
  if (!Array.isArray(shape) || !shape.every(isOffset)) return fail('shape must be a list of whole numbers >= 0')
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isOffset))
    return fail('data_offsets must be two whole numbers >= 0')
  const [begin, end] = offsets as [number, number]
  let needed: number
  try {
    needed = elementCount(shape) * CODECS[dtype].bytesPerElement
  } catch (cause) {
    return fail((cause as Error).message)
  }
  if (end - begin !== needed) return fail(`data_offsets [${begin}, ${end}] hold ${end - begin} bytes, ${dtype} [${shape}] needs ${needed}`)
  return { key, dtype, shape, begin: dataStart + begin, end: dataStart + end }
}

const checkCoverage = (entries: readonly HeaderEntry[], file: { source: string; dataStart: number; fileSize: number }): void => {
  const { source, dataStart, fileSize } = file
  let covered = dataStart
  for (const { key, begin, end } of [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== covered) {
      const flaw =
        begin > covered
          ? `leaves a hole of ${begin - covered} bytes before it`
          : `overlaps the tensor before it by ${covered - begin} bytes`
      throw new FileError(source, `tensor ${quoteKey(key)} ${flaw}`, AGAIN)
    }
    covered = end
  }
  if (covered > fileSize) {
    throw new FileError(source, `file is truncated: header says ${covered} bytes, file has ${fileSize}`, 'download or train it again')
  }
  if (covered < fileSize) {
    throw new FileError(
      source,
      `${fileSize - covered} bytes after the last tensor: header says ${covered} bytes, file has ${fileSize}`,
      AGAIN,
    )
  }
}
