import { deflateSync } from 'fflate'
import { crc32 } from '../../../core/io/gzip.ts'

/** A file for an archive; every field but name and content is a lie to tell about it. */
export interface ZipFile {
  readonly name: string
  readonly content: Uint8Array
  readonly deflate?: boolean
  readonly method?: number
  readonly crc?: number
  readonly size?: number
  readonly storedSize?: number
  readonly flags?: number
  /** The name in the local header, where it differs from that in the table of contents. */
  readonly localName?: string
  /** The place the table of contents points to. */
  readonly offset?: number
}

/** The little-endian fields of a record: [value, bytes] each. */
const record = (...fields: (readonly [number, number] | Uint8Array)[]): Uint8Array =>
  Uint8Array.from(
    fields.flatMap(field =>
      field instanceof Uint8Array ? [...field] : Array.from({ length: field[1] }, (_, i) => Math.floor(field[0] / 256 ** i) & 255),
    ),
  )

const concat = (parts: readonly Uint8Array[]): Uint8Array => {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

/** A zip archive, made from the description of the format; `zip64` uses the records that PyTorch always writes. */
export const zip = (files: readonly ZipFile[], { zip64 = false, comment = '' } = {}): Uint8Array => {
  const parts: Uint8Array[] = []
  const table: Uint8Array[] = []
  let at = 0
  for (const file of files) {
    const packed = file.deflate ? deflateSync(file.content) : file.content
    const method = file.method ?? (file.deflate ? 8 : 0)
    const crc = file.crc ?? crc32(file.content)
    const [size, storedSize, offset] = [file.size ?? file.content.length, file.storedSize ?? packed.length, file.offset ?? at]
    const name = new TextEncoder().encode(file.name)
    const localName = new TextEncoder().encode(file.localName ?? file.name)
    const padding = new Uint8Array(7)
    const common = [
      [file.flags ?? 0, 2],
      [method, 2],
      [0, 4],
      [crc, 4],
    ] as const
    const sizes = [
      [storedSize, 4],
      [size, 4],
    ] as const
    const local = record([0x04034b50, 4], [20, 2], ...common, ...sizes, [localName.length, 2], [padding.length, 2], localName, padding)
    const wide = zip64 ? record([1, 2], [24, 2], [size, 8], [storedSize, 8], [offset, 8]) : new Uint8Array(0)
    const narrow = zip64
      ? ([
          [0xffffffff, 4],
          [0xffffffff, 4],
        ] as const)
      : sizes
    table.push(
      record([0x02014b50, 4], [20, 2], [20, 2], ...common, ...narrow, [name.length, 2], [wide.length, 2]),
      record([0, 2], [0, 2], [0, 2], [0, 4], [zip64 ? 0xffffffff : offset, 4], name, wide),
    )
    parts.push(local, packed)
    at += local.length + packed.length
  }
  const contents = concat(table)
  const end64 = zip64
    ? [
        record(
          [0x06064b50, 4],
          [44, 8],
          [45, 2],
          [45, 2],
          [0, 4],
          [0, 4],
          [files.length, 8],
          [files.length, 8],
          [contents.length, 8],
          [at, 8],
        ),
        record([0x07064b50, 4], [0, 4], [at + contents.length, 8], [1, 4]),
      ]
    : []
  const [count, size, begin] = zip64 ? [0xffff, 0xffffffff, 0xffffffff] : [files.length, contents.length, at]
  const note = new TextEncoder().encode(comment)
  const end = record([0x06054b50, 4], [0, 2], [0, 2], [count, 2], [count, 2], [size, 4], [begin, 4], [note.length, 2], note)
  return concat([...parts, contents, ...end64, end])
}
