import { UsageError } from '../support/errors.ts'
import { loadCifar10 } from './cifar10.ts'
import { loadCifar100 } from './cifar100.ts'
import { loadCifarPickle } from './cifarPickle.ts'
import { loadDigits, splitDigits } from './digits.ts'
import type { ImageDataset } from './imageDataset.ts'
import { imageFolder, type Split } from './imageFolder.ts'
import { imagesAt } from './imagesAt.ts'
import { loadMnist } from './mnist.ts'
import { parquetPictures } from './parquetPictures.ts'
import { evenlySpaced, type Framing, type LabelledPicture, picturesDataset } from './picturesDataset.ts'
import type { FileContent } from './plainOrGzip.ts'
import { openArchives } from './tar.ts'

export interface DatasetRequest extends Framing {
  /** None: what the project ships, if it does. */
  readonly paths: readonly string[]
  /** So many images; all by default. The first ones, or of a folder of pictures evenly spaced ones. */
  readonly limit?: number | undefined
  /** Which part of an archive, a folder or a file of digits, which hold both; test by default. Other files that are named one by one are taken as they are. */
  readonly split?: Split | undefined
}

/** A kind of data by its name on the command line. */
export interface DatasetKind {
  readonly classes: number
  readonly channels: number
  /** Height and width of every image, where the format fixes them; pictures have none, `resize` and `crop` frame them. */
  readonly side?: number
  /** What `paths` are, for --help and messages. */
  readonly files: string
  /** @throws FileError when a file does not hold what it should, UsageError when the wrong files are given */
  load(request: DatasetRequest): Promise<ImageDataset>
}

const requirePaths = (paths: readonly string[], files: string): readonly string[] => {
  if (paths.length === 0) throw new UsageError('no data was given', `name ${files} with --data`)
  return paths
}

const refuseFraming = ({ resize, crop }: Framing): void => {
  if (resize !== undefined || crop !== undefined)
    throw new UsageError('--resize and --crop are for data kept as pictures', 'leave them out, or use --dataset imagenet')
}

type Reader = (files: readonly FileContent[], o: { readonly limit?: number | undefined }) => ImageDataset

const trainBatches = (folder: string, ending: string): string[] => [1, 2, 3, 4, 5].map(i => `${folder}/data_batch_${i}${ending}`)

/** CIFAR in one of its official forms. `members`: the files of a split in the official archive. */
const cifar = (
  classes: number,
  o: { readonly files: string; readonly members: Readonly<Record<Split, readonly string[]>> },
  read: Reader,
): DatasetKind => {
  const files = `${o.files}, or the official archive`
  return {
    classes,
    channels: 3,
    side: 32,
    files,
    load: async ({ paths, limit, split = 'test', ...framing }) => {
      refuseFraming(framing)
      return read(openArchives(requirePaths(paths, files), o.members[split]), { limit })
    },
  }
}

const parquet = (labels: readonly string[], classes: number): DatasetKind => {
  const files = 'parquet files of the Hugging Face hub, one or more'
  return {
    classes,
    channels: 3,
    files,
    load: async ({ paths, limit, resize, crop }) => {
      const pictures: LabelledPicture[] = []
      for (const path of requirePaths(paths, files)) pictures.push(...(await parquetPictures(path, { labels, classes })))
      if (limit !== undefined && limit > pictures.length)
        throw new UsageError(`${limit} images wanted, ${pictures.length} there`, 'ask for fewer images or add files')
      return picturesDataset(pictures.slice(0, limit), { resize, crop })
    },
  }
}

const folders = (classes: number, usual: Framing): DatasetKind => {
  const files = 'the folder that holds train and val, one folder of pictures per class'
  return {
    classes,
    channels: 3,
    files,
    load: async ({ paths, limit, split = 'test', resize = usual.resize, crop = usual.crop }) => {
      const [root, ...more] = requirePaths(paths, files)
      if (more.length > 0) throw new UsageError(`${paths.length} folders were given`, `name one, ${files}`)
      return picturesDataset(evenlySpaced(imageFolder(root!, { split, classes }), limit), { resize, crop })
    },
  }
}

const MNIST_FILES = 'two files, images and then labels: t10k-images-idx3-ubyte t10k-labels-idx1-ubyte, gzipped or not'

export const DATASETS = {
  cifar10: cifar(
    10,
    {
      files: 'test_batch.bin or data_batch_*.bin, gzipped or not',
      members: { test: ['cifar-10-batches-bin/test_batch.bin'], train: trainBatches('cifar-10-batches-bin', '.bin') },
    },
    loadCifar10,
  ),
  'cifar10-python': cifar(
    10,
    {
      files: 'test_batch or data_batch_*',
      members: { test: ['cifar-10-batches-py/test_batch'], train: trainBatches('cifar-10-batches-py', '') },
    },
    (files, o) => loadCifarPickle(files, { ...o, labels: 'labels' }),
  ),
  'cifar10-parquet': parquet(['label'], 10),
  cifar100: cifar(
    100,
    {
      files: 'test.bin or train.bin, gzipped or not',
      members: { test: ['cifar-100-binary/test.bin'], train: ['cifar-100-binary/train.bin'] },
    },
    loadCifar100,
  ),
  'cifar100-python': cifar(
    100,
    { files: 'test or train', members: { test: ['cifar-100-python/test'], train: ['cifar-100-python/train'] } },
    (files, o) => loadCifarPickle(files, { ...o, labels: 'fine_labels' }),
  ),
  'cifar100-parquet': parquet(['fine_label', 'label'], 100),
  'tiny-imagenet': folders(200, {}),
  imagenet: folders(1000, { resize: 256, crop: 224 }),
  mnist: {
    classes: 10,
    channels: 1,
    side: 28,
    files: MNIST_FILES,
    load: async ({ paths, limit, ...framing }) => {
      refuseFraming(framing)
      const [images, labels, ...more] = paths
      if (images === undefined || labels === undefined || more.length > 0)
        throw new UsageError('MNIST needs two files', `name ${MNIST_FILES}`)
      return loadMnist({ images, labels }, { limit })
    },
  },
  digits: {
    classes: 10,
    channels: 1,
    side: 8,
    files: 'nothing: the digits come with the project',
    load: async ({ paths, limit, split = 'test', ...framing }) => {
      refuseFraming(framing)
      const [path, ...more] = paths
      if (more.length > 0)
        throw new UsageError(`${1 + more.length} files were given for the digits`, 'name one, or none for those of the project')
      const all = loadDigits(path === undefined ? {} : { path })
      return firstImages(imagesAt(all, splitDigits()[split]), limit)
    },
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
