import { existsSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { cacheFolder } from '../../core/io/cacheFolder.ts'
import { readFileBytes, writeFileAtomic } from '../../core/io/files.ts'
import { gunzip } from '../../core/io/gzip.ts'
import type { Split } from '../data/imageFolder.ts'
import { tarFile } from '../data/tar.ts'
import { UsageError } from '../support/errors.ts'
import type { Progress, ProgressOptions } from '../support/progress.ts'
import { download } from './download.ts'

/** A file that a publisher gives, and for an archive the files in it that are wanted. */
export interface RemoteFile {
  readonly url: string
  readonly size: number
  readonly sha256: string
  readonly members?: readonly { readonly name: string; readonly size: number }[]
}

/** What is fetched for each part of a data set. */
export type RemoteDataset = Readonly<Record<Split, readonly RemoteFile[]>>

const CIFAR = 'https://www.cs.toronto.edu/~kriz'
const MNIST = 'https://storage.googleapis.com/cvdf-datasets/mnist'

const cifar10 = {
  url: `${CIFAR}/cifar-10-binary.tar.gz`,
  size: 170_052_171,
  sha256: 'c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd',
}
const cifar100 = {
  url: `${CIFAR}/cifar-100-binary.tar.gz`,
  size: 168_513_733,
  sha256: '58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec',
}

/** The official data sets, as their publishers give them; MNIST from a mirror, since its own page wants a login. */
const REMOTE: Readonly<Record<string, RemoteDataset>> = {
  cifar10: {
    test: [{ ...cifar10, members: [{ name: 'cifar-10-batches-bin/test_batch.bin', size: 30_730_000 }] }],
    train: [{ ...cifar10, members: [1, 2, 3, 4, 5].map(i => ({ name: `cifar-10-batches-bin/data_batch_${i}.bin`, size: 30_730_000 })) }],
  },
  cifar100: {
    test: [{ ...cifar100, members: [{ name: 'cifar-100-binary/test.bin', size: 30_740_000 }] }],
    train: [{ ...cifar100, members: [{ name: 'cifar-100-binary/train.bin', size: 153_700_000 }] }],
  },
  mnist: {
    test: [
      {
        url: `${MNIST}/t10k-images-idx3-ubyte.gz`,
        size: 1_648_877,
        sha256: '8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6',
      },
      {
        url: `${MNIST}/t10k-labels-idx1-ubyte.gz`,
        size: 4_542,
        sha256: 'f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6',
      },
    ],
    train: [
      {
        url: `${MNIST}/train-images-idx3-ubyte.gz`,
        size: 9_912_422,
        sha256: '440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609',
      },
      {
        url: `${MNIST}/train-labels-idx1-ubyte.gz`,
        size: 28_881,
        sha256: '3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c',
      },
    ],
  },
}

export const remoteNames: readonly string[] = Object.keys(REMOTE)

/** Every file that may be fetched, for checks of the table. */
export const remoteFiles = (name: string): RemoteFile[] => Object.values(REMOTE[name]!).flat()

export interface RemoteDatasetOptions {
  readonly split?: Split
  /** `cacheFolder()` by default. */
  readonly cache?: string
  readonly progress?: (options: ProgressOptions) => Progress
  /** For tests. */
  readonly sets?: Readonly<Record<string, RemoteDataset>>
}

const fetchFile = async (
  folder: string,
  { url, size, sha256, members }: RemoteFile,
  progress: RemoteDatasetOptions['progress'],
): Promise<string[]> => {
  const path = join(folder, basename(new URL(url).pathname))
  const get = (): Promise<unknown> => download({ url, path, size, digest: { kind: 'sha256', hex: sha256 }, ...(progress && { progress }) })
  if (!members) {
    await get()
    return [path]
  }
  const wanted = members.map(member => ({ ...member, path: join(folder, basename(member.name)) }))
  // Files are written whole or not at all, so one of the right size is the one taken from the archive.
  const missing = wanted.filter(member => !(existsSync(member.path) && statSync(member.path).size === member.size))
  if (missing.length > 0) {
    await get()
    const archive = gunzip(readFileBytes(path), path)
    for (const member of missing) writeFileAtomic(member.path, tarFile(archive, member.name, path))
  }
  return wanted.map(member => member.path)
}

/**
 * The files of a part of an official data set, as its loader takes them, from the cache or else fetched into it.
 * @throws UsageError when this data set is none that can be fetched; UserError and FileError as `download`
 */
export const fetchDataset = async (
  name: string,
  { split = 'test', cache = cacheFolder(), progress, sets = REMOTE }: RemoteDatasetOptions = {},
): Promise<string[]> => {
  const files = Object.hasOwn(sets, name) ? sets[name]![split] : null
  if (files === null)
    throw new UsageError(`the data set ${name} cannot be fetched`, `only ${Object.keys(sets).join(', ')} can, name files with --data`)
  const paths: string[] = []
  for (const file of files) paths.push(...(await fetchFile(join(cache, 'data', name), file, progress)))
  return paths
}
