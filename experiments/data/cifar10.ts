import { FileError } from '../../core/io/fileError.ts'
import { readFileBytes } from '../../core/io/files.ts'
import { gunzip, isGzip } from '../../core/io/gzip.ts'
import type { ImageDataset } from './imageDataset.ts'

const PIXELS = 3 * 32 * 32
const RECORD_BYTES = 1 + PIXELS
const LARGEST_LABEL = 9
const REMEDY = 'use the binary version of CIFAR-10 (data_batch_1.bin .. data_batch_5.bin, test_batch.bin)'

export interface Cifar10 extends ImageDataset {
  /** float32, since the training set in float64 would need 1.2 GB. */
  readonly images: Float32Array
  readonly shape: readonly [3, 32, 32]
}

/**
 * CIFAR-10 in its official binary format, plain or gzipped: records of 3,073 bytes, the label and then 1,024 red, green
 * and blue values each, row by row. Pixels are scaled to [0, 1].
 *
 * @param paths files whose records follow one another
 * @param options.limit read the first `limit` images only (all by default)
 * @throws FileError when a file is no whole number of records or holds a label above 9, or there are too few images
 */
export const loadCifar10 = (paths: readonly string[], { limit }: { readonly limit?: number } = {}): Cifar10 => {
  const files = paths.map(readRecords)
  const available = files.reduce((sum, file) => sum + file.length / RECORD_BYTES, 0)
  const count = limit ?? available
  if (!(Number.isInteger(count) && count >= 1 && count <= available)) {
    throw new FileError(paths.join(', '), `${count} images wanted, ${available} there`, 'ask for fewer images or add files')
  }
  const images = new Float32Array(count * PIXELS)
  const labels = new Int32Array(count)
  let image = 0
  for (const file of files) {
    for (let at = 0; at < file.length && image < count; at += RECORD_BYTES, image++) {
      labels[image] = file[at]
      for (let p = 0; p < PIXELS; p++) images[image * PIXELS + p] = file[at + 1 + p] / 255
    }
  }
  return { images, labels, count, shape: [3, 32, 32] }
}

const readRecords = (path: string): Uint8Array => {
  const raw = readFileBytes(path)
  const bytes = isGzip(raw) || path.endsWith('.gz') ? gunzip(raw, path) : raw
  if (bytes.length === 0 || bytes.length % RECORD_BYTES !== 0) {
    throw new FileError(
      path,
      `file has ${bytes.length} bytes, expected a multiple of ${RECORD_BYTES} (one label and ${PIXELS} pixels)`,
      REMEDY,
    )
  }
  for (let at = 0; at < bytes.length; at += RECORD_BYTES) {
    if (bytes[at] > LARGEST_LABEL)
      throw new FileError(path, `record ${at / RECORD_BYTES} has label ${bytes[at]}, expected 0..${LARGEST_LABEL}`, REMEDY)
  }
  return bytes
}
