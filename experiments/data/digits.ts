import { fileURLToPath } from 'node:url'
import { FileError } from '../../core/io/fileError.ts'
import { permutation } from '../../core/random/distributions.ts'
import { key } from '../../core/random/key.ts'
import type { ImageDataset } from './imageDataset.ts'
import { readPlainOrGzip } from './plainOrGzip.ts'

const COUNT = 1797
const PIXELS = 64
const FIELDS = PIXELS + 1
const LARGEST_PIXEL = 16
const LARGEST_LABEL = 9
const TEST_COUNT = 500
/** Any number would do; it is fixed so that every table speaks about the same 500 test images. */
const SPLIT_SEED = 20250424

const SHIPPED_FILE = fileURLToPath(new URL('./digits8x8.csv.gz', import.meta.url))
const REMEDY = 'restore experiments/data/digits8x8.csv.gz from the repository'

export interface Digits extends ImageDataset {
  readonly images: Float64Array
  readonly shape: readonly [1, 8, 8]
}

/**
 * The 1,797 handwritten digits of UCI "Optical Recognition of Handwritten Digits" (see ATTRIBUTION.md), scaled from
 * 0..16 to [0, 1].
 *
 * @param options.path a CSV file of 1,797 rows, 64 pixels and the label each, gzipped or plain; by default the one shipped
 * @throws FileError naming the line, when the file is truncated, or a record has a wrong size, pixel or label
 */
export const loadDigits = ({ path = SHIPPED_FILE }: { readonly path?: string } = {}): Digits => {
  const text = new TextDecoder().decode(readPlainOrGzip(path))
  const lines = text.replace(/\r?\n$/, '').split(/\r?\n/)
  const images = new Float64Array(COUNT * PIXELS)
  const labels = new Int32Array(COUNT)
  lines.forEach((line, i) => {
    const record = parseRecord(line, `${path} line ${i + 1}`)
    if (i >= COUNT) return
    images.set(
      record.pixels.map(pixel => pixel / LARGEST_PIXEL),
      i * PIXELS,
    )
    labels[i] = record.label
  })
  if (lines.length !== COUNT) throw new FileError(path, `file has ${lines.length} records, expected ${COUNT}`, REMEDY)
  return { images, labels, count: COUNT, shape: [1, 8, 8] }
}

const parseRecord = (line: string, place: string): { pixels: number[]; label: number } => {
  const fields = line.split(',')
  if (fields.length !== FIELDS)
    throw new FileError(place, `record has ${fields.length} fields, expected ${FIELDS} (64 pixels and the label)`, REMEDY)
  const values = fields.map((field, i) => {
    const largest = i < PIXELS ? LARGEST_PIXEL : LARGEST_LABEL
    // Not Number(), which takes an empty field for 0.
    const value = /^\d{1,2}$/.test(field) ? Number(field) : Number.NaN
    if (value <= largest) return value
    throw new FileError(
      place,
      `${i < PIXELS ? `pixel ${i + 1}` : 'label'} is ${JSON.stringify(field)}, expected a whole number 0..${largest}`,
      REMEDY,
    )
  })
  return { pixels: values.slice(0, PIXELS), label: values[PIXELS] }
}

/**
 * A random split of the image indices: 1,297 for training and 500 for testing, each in random order.
 * The default is the split of all tables; another seed gives an independent one.
 */
export const splitDigits = (seed: number = SPLIT_SEED): { readonly train: Int32Array; readonly test: Int32Array } => {
  const order = permutation(key(seed), COUNT)
  return { train: order.slice(TEST_COUNT), test: order.slice(0, TEST_COUNT) }
}
