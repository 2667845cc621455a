import { type ByteSource, memorySource, withFileSource } from '../../core/io/byteSource.ts'
import { FileError } from '../../core/io/fileError.ts'
import { memoryBudget } from '../../core/io/memoryBudget.ts'
import { ByteReader } from '../../core/io/torch/byteReader.ts'
import type { PickleDict, PickleValue } from '../../core/io/torch/pickleValue.ts'
import { unpickle } from '../../core/io/torch/unpickle.ts'
import { CIFAR_PIXELS, type CifarImages, type CifarPart, joinCifar } from './cifarImages.ts'
import { byteArrayOf, numpyContext } from './numpyArray.ts'
import type { FileContent } from './plainOrGzip.ts'

/** Which list of labels is taken: `labels` in CIFAR-10, the other two in CIFAR-100. */
export type CifarPickleLabels = 'labels' | 'fine_labels' | 'coarse_labels'

const CLASSES: Readonly<Record<CifarPickleLabels, number>> = { labels: 10, fine_labels: 100, coarse_labels: 20 }

const REMEDY = 'use the python version of CIFAR (data_batch_1 .. data_batch_5, test_batch; train, test)'

/** A value of a dict whose keys are texts, or bytes where a file was saved again by Python 3. */
const entry = (dict: PickleDict, name: string): PickleValue | undefined => {
  for (const [key, value] of dict) if ((key instanceof Uint8Array ? new TextDecoder().decode(key) : key) === name) return value
  return undefined
}

const readPart = (file: FileContent, labelsName: CifarPickleLabels): CifarPart => {
  const read = (source: ByteSource): CifarPart => {
    const { name: path } = source
    const root = unpickle(new ByteReader(source), numpyContext(memoryBudget(path, source.size)))
    const fail = (rule: string, cause?: unknown): never => {
      throw new FileError(path, rule, REMEDY, { cause })
    }
    if (!(root instanceof Map)) return fail('the pickle holds no dict')
    const labels = entry(root, labelsName)
    const largest = CLASSES[labelsName] - 1
    if (!Array.isArray(labels)) return fail(`the dict has no list "${labelsName}"`)
    const wrong = labels.findIndex(label => !Number.isInteger(label) || label < 0 || label > largest)
    if (wrong >= 0) return fail(`label ${wrong} is ${String(labels[wrong]).slice(0, 20)}, expected 0..${largest}`)
    try {
      const { shape, values } = byteArrayOf(entry(root, 'data'))
      if (shape.length !== 2 || shape[0] !== labels.length || shape[1] !== CIFAR_PIXELS)
        return fail(`"data" is [${shape}], expected [${labels.length},${CIFAR_PIXELS}]`)
      return { path, count: labels.length, bytes: values, pixelsAt: image => image * CIFAR_PIXELS, labelOf: image => labels[image] }
    } catch (cause) {
      if (cause instanceof RangeError) return fail(`"data": ${cause.message}`, cause)
      throw cause
    }
  }
  return typeof file === 'string' ? withFileSource(file, read) : read(memorySource(file.bytes, file.name))
}

/**
 * CIFAR-10 or CIFAR-100 in the official python version: pickled dicts with `data`, an array [images, 3072] of bytes, and lists
 * of labels. The pickle is read without running any code; classes other than arrays are refused.
 *
 * @throws FileError when a file is no such pickle, or there are too few images
 */
export const loadCifarPickle = (
  files: readonly FileContent[],
  { labels, limit }: { readonly labels: CifarPickleLabels; readonly limit?: number | undefined },
): CifarImages =>
  joinCifar(
    files.map(file => readPart(file, labels)),
    limit,
  )
