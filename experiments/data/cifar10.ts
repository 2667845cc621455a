import { readCifarBinary } from './cifarBinary.ts'
import { type CifarImages, joinCifar } from './cifarImages.ts'
import type { FileContent } from './plainOrGzip.ts'

const FORMAT = {
  largestLabels: [9],
  labelByte: 0,
  remedy: 'use the binary version of CIFAR-10 (data_batch_1.bin .. data_batch_5.bin, test_batch.bin)',
}

/**
 * CIFAR-10 in its official binary format, plain or gzipped: records of 3,073 bytes, the label and then 1,024 red, green
 * and blue values each, row by row. Pixels are scaled to [0, 1].
 *
 * @param files files whose records follow one another
 * @param options.limit read the first `limit` images only (all by default)
 * @throws FileError when a file is no whole number of records or holds a label above 9, or there are too few images
 */
export const loadCifar10 = (files: readonly FileContent[], { limit }: { readonly limit?: number | undefined } = {}): CifarImages =>
  joinCifar(
    files.map(file => readCifarBinary(file, FORMAT)),
    limit,
  )
