import { parquetMetadata, parquetRead, parquetReadObjects } from 'hyparquet'
import { FileError } from '../../core/io/fileError.ts'
import { readFileBytes } from '../../core/io/files.ts'
import type { LabelledPicture } from './picturesDataset.ts'

const REMEDY = 'use the parquet files of the data set on the hub, with columns of pictures and labels'
const PICTURES = ['img', 'image']

export interface ParquetFormat {
  /** Names a column of labels may have, the first that is there counts. */
  readonly labels: readonly string[]
  readonly classes: number
}

const bytesOf = (cell: unknown): Uint8Array | undefined => {
  const bytes = typeof cell === 'object' && cell !== null && 'bytes' in cell ? (cell as { bytes: unknown }).bytes : cell
  return bytes instanceof Uint8Array ? bytes : undefined
}

/**
 * The pictures of a parquet file as the Hugging Face hub keeps them: a column `img` or `image` of JPEG or PNG bytes (plain, or
 * a struct with `bytes`) and a column of labels.
 * Unlike the project's own readers, hyparquet does not bound its work on a hostile file: take files of sources you trust.
 * @throws FileError when the file is damaged, lacks a column, or a row has no picture or no class
 */
export const parquetPictures = async (path: string, { labels, classes }: ParquetFormat): Promise<LabelledPicture[]> => {
  const content = readFileBytes(path)
  const file = content.buffer.slice(content.byteOffset, content.byteOffset + content.byteLength) as ArrayBuffer
  const fail = (rule: string, cause?: unknown): never => {
    throw new FileError(path, rule, REMEDY, { cause })
  }
  const attempt = async <T>(action: () => T | Promise<T>): Promise<T> => {
    try {
      return await action()
    } catch (cause) {
      return fail(`it is no parquet file that can be read (${(cause as Error).message})`, cause)
    }
  }
  const metadata = await attempt(() => parquetMetadata(file))
  const columns = metadata.schema.map(({ name }) => name)
  const pictures = PICTURES.find(name => columns.includes(name))
  const label = labels.find(name => columns.includes(name))
  if (pictures === undefined || label === undefined)
    return fail(`it has the columns ${columns.slice(1).join(', ')}, expected ${PICTURES.join(' or ')} and ${labels.join(' or ')}`)
  const request = { file, metadata, columns: [pictures, label], utf8: false }
  // Reading alone waits for every column; putting them together may stop at the first damaged one and leave others unawaited.
  await attempt(() => parquetRead(request))
  const rows = await attempt(() => parquetReadObjects(request))
  return rows.map((row, i) => {
    const bytes = bytesOf(row[pictures])
    const index = Number(row[label])
    if (!bytes) return fail(`row ${i} has no picture in the column ${pictures}`)
    if (!(Number.isInteger(index) && index >= 0 && index < classes))
      return fail(`row ${i} has the label ${String(row[label]).slice(0, 20)}, expected 0..${classes - 1}`)
    return { name: `${path} row ${i}`, label: index, read: () => bytes }
  })
}
