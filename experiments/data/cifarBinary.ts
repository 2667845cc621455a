import { FileError } from '../../core/io/fileError.ts'
import { CIFAR_PIXELS, type CifarPart } from './cifarImages.ts'
import { contentOf, type FileContent } from './plainOrGzip.ts'

/** The records of a CIFAR file: some bytes of labels, then the pixels. */
export interface CifarFormat {
  /** Largest value of each label byte. */
  readonly largestLabels: readonly number[]
  /** Which of them is wanted. */
  readonly labelByte: number
  /** What to do with a file that is none. */
  readonly remedy: string
}

/** Reads a file of the official binary version, plain or gzipped. @throws FileError when it is no whole number of records */
export const readCifarBinary = (file: FileContent, { largestLabels, labelByte, remedy }: CifarFormat): CifarPart => {
  const { name: path, bytes } = contentOf(file)
  const labelBytes = largestLabels.length
  const recordBytes = labelBytes + CIFAR_PIXELS
  const fail = (rule: string): never => {
    throw new FileError(path, rule, remedy)
  }
  if (bytes.length === 0 || bytes.length % recordBytes !== 0) {
    const parts = `${labelBytes === 1 ? 'one label' : `${labelBytes} labels`} and ${CIFAR_PIXELS} pixels`
    fail(`file has ${bytes.length} bytes, expected a multiple of ${recordBytes} (${parts})`)
  }
  const count = bytes.length / recordBytes
  for (let record = 0; record < count; record++) {
    largestLabels.forEach((largest, i) => {
      const label = bytes[record * recordBytes + i]!
      if (label > largest) fail(`record ${record} has label ${label}, expected 0..${largest}`)
    })
  }
  return {
    path,
    count,
    bytes,
    pixelsAt: image => image * recordBytes + labelBytes,
    labelOf: image => bytes[image * recordBytes + labelByte]!,
  }
}
