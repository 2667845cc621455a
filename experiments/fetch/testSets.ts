import { existsSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { readFileBytes, writeFileAtomic } from '../../core/io/files.ts'
import { gunzip } from '../../core/io/gzip.ts'
import { UsageError } from '../support/errors.ts'
import type { Progress, ProgressOptions } from '../support/progress.ts'
import { cacheFolder } from './cacheFolder.ts'
import { download } from './download.ts'
import { tarFile } from './tar.ts'

/** A file that a publisher gives, and for an archive the file in it that is wanted. */
export interface RemoteFile {
  readonly url: string
  readonly size: number
  readonly sha256: string
  readonly member?: { readonly name: string; readonly size: number }
}

const CIFAR = 'https://www.cs.toronto.edu/~kriz'
const MNIST = 'https://storage.googleapis.com/cvdf-datasets/mnist'

/** The official test sets, as their publishers give them; MNIST from a mirror, since its own page wants a login. */
export const TEST_SETS: Readonly<Record<string, readonly RemoteFile[]>> = {
  cifar10: [
    {
      url: `${CIFAR}/cifar-10-binary.tar.gz`,
      size: 170_052_171,
      sha256: 'c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd',
      member: { name: 'cifar-10-batches-bin/test_batch.bin', size: 30_730_000 },
    },
  ],
  cifar100: [
    {
      url: `${CIFAR}/cifar-100-binary.tar.gz`,
      size: 168_513_733,
      sha256: '58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec',
      member: { name: 'cifar-100-binary/test.bin', size: 30_740_000 },
    },
  ],
  mnist: [
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
}

export interface TestSetOptions {
  /** `cacheFolder()` by default. */
  readonly cache?: string
  readonly progress?: (options: ProgressOptions) => Progress
  /** For tests. */
  readonly sets?: Readonly<Record<string, readonly RemoteFile[]>>
}

const fetchFile = async (
  folder: string,
  { url, size, sha256, member }: RemoteFile,
  progress: TestSetOptions['progress'],
): Promise<string> => {
  const path = join(folder, basename(new URL(url).pathname))
  const wanted = member && join(folder, basename(member.name))
  // Files are written whole or not at all, so one of the right size is the one taken from the archive.
  if (member && wanted && existsSync(wanted) && statSync(wanted).size === member.size) return wanted
  await download({ url, path, size, digest: { kind: 'sha256', hex: sha256 }, ...(progress && { progress }) })
  if (!member || !wanted) return path
  writeFileAtomic(wanted, tarFile(gunzip(readFileBytes(path), path), member.name, path))
  return wanted
}

/**
 * The files of a data set's official test set, as its loader takes them, from the cache or else fetched into it.
 * @throws UsageError when this data set is none that can be fetched; UserError and FileError as `download`
 */
export const fetchTestSet = async (
  name: string,
  { cache = cacheFolder(), progress, sets = TEST_SETS }: TestSetOptions = {},
): Promise<string[]> => {
  const files = Object.hasOwn(sets, name) ? sets[name]! : null
  if (files === null)
    throw new UsageError(`the data set ${name} cannot be fetched`, `only ${Object.keys(sets).join(', ')} can, name files with --data`)
  const paths: string[] = []
  for (const file of files) paths.push(await fetchFile(join(cache, 'data', name), file, progress))
  return paths
}
