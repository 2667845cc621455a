import { UsageError } from '../support/errors.ts'
import { loadCifar10 } from './cifar10.ts'
import { loadCifar100 } from './cifar100.ts'
import { loadCifarPickle } from './cifarPickle.ts'
import { loadDigits } from './digits.ts'
import type { ImageDataset } from './imageDataset.ts'
import { loadMnist } from './mnist.ts'

export interface DatasetRequest {
  /** None: what the project ships, if it does. */
  readonly paths: readonly string[]
  /** The first so many images; all by default. */
  readonly limit?: number | undefined
}

/** A kind of data by its name on the command line. */
export interface DatasetKind {
  readonly classes: number
  readonly channels: number
  /** What `paths` are, for --help and messages. */
  readonly files: string
  /** @throws FileError when a file does not hold what it should, UsageError when the wrong files are given */
  load(request: DatasetRequest): ImageDataset
}

const requirePaths = (paths: readonly string[], files: string): readonly string[] => {
  if (paths.length === 0) throw new UsageError('no data was given', `name ${files} with --data`)
  return paths
}

type Reader = (paths: readonly string[], o: { readonly limit?: number | undefined }) => ImageDataset

const cifar = (classes: number, files: string, read: Reader): DatasetKind => ({
  classes,
  channels: 3,
  files,
  load: ({ paths, limit }) => read(requirePaths(paths, files), { limit }),
})

const MNIST_FILES = 'two files, images and then labels: t10k-images-idx3-ubyte t10k-labels-idx1-ubyte, gzipped or not'

export const DATASETS = {
  cifar10: cifar(10, 'test_batch.bin or data_batch_*.bin, gzipped or not', loadCifar10),
  'cifar10-python': cifar(10, 'test_batch or data_batch_*', (paths, o) => loadCifarPickle(paths, { ...o, labels: 'labels' })),
  cifar100: cifar(100, 'test.bin or train.bin, gzipped or not', loadCifar100),
  'cifar100-python': cifar(100, 'test or train', (paths, o) => loadCifarPickle(paths, { ...o, labels: 'fine_labels' })),
  mnist: {
    classes: 10,
    channels: 1,
    files: MNIST_FILES,
    load: ({ paths: [images, labels, ...more], limit }) => {
      if (images === undefined || labels === undefined || more.length > 0)
        throw new UsageError('MNIST needs two files', `name ${MNIST_FILES}`)
      return loadMnist({ images, labels }, { limit })
    },
  },
  digits: {
    classes: 10,
    channels: 1,
    files: 'nothing: the digits come with the project',
    load: ({ paths: [path], limit }) => firstImages(loadDigits(path === undefined ? {} : { path }), limit),
  },
} as const satisfies Record<string, DatasetKind>

export type DatasetName = keyof typeof DATASETS

/** The first `limit` images of a data set. @throws UsageError when it has fewer */
export const firstImages = (data: ImageDataset, limit: number = data.count): ImageDataset => {
  if (!(Number.isInteger(limit) && limit >= 1 && limit <= data.count))
    throw new UsageError(`${limit} images wanted, ${data.count} there`, 'ask for fewer images')
  const size = data.images.length / data.count
  return { ...data, images: data.images.subarray(0, limit * size), labels: data.labels.subarray(0, limit), count: limit }
}
