import { readCifarBinary } from './cifarBinary.ts'
import { type CifarImages, joinCifar } from './cifarImages.ts'
import type { FileContent } from './plainOrGzip.ts'

/** The two labels of each CIFAR-100 image: one of 100 classes, or one of the 20 groups they form. */
export type Cifar100Labels = 'fine' | 'coarse'

/**
 * CIFAR-100 in its official binary format, plain or gzipped: records of 3,074 bytes, coarse label, fine label and pixels as
 * in `loadCifar10`.
 *
 * @param options.labels which of the labels; 'fine' by default
 * @throws FileError when a file is no whole number of records or holds a label that is no class, or there are too few images
 */
export const loadCifar100 = (
  files: readonly FileContent[],
  { limit, labels = 'fine' }: { readonly limit?: number | undefined; readonly labels?: Cifar100Labels } = {},
): CifarImages => {
  const remedy = 'use the binary version of CIFAR-100 (train.bin, test.bin)'
  const format = { largestLabels: [19, 99], labelByte: labels === 'coarse' ? 0 : 1, remedy }
  return joinCifar(
    files.map(file => readCifarBinary(file, format)),
    limit,
  )
}
