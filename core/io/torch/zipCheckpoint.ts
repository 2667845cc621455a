import { memorySource } from '../byteSource.ts'
import { FileError, quoteKey } from '../fileError.ts'
import { CODECS } from '../hostTensor.ts'
import { openZip, type ZipArchive } from '../zip.ts'
import { ByteReader } from './byteReader.ts'
import { storageBytes, storageTable, type TorchFile, type TorchFileInput } from './torchFile.ts'
import type { TorchStorage } from './torchTensor.ts'
import { unpickle } from './unpickle.ts'

const AGAIN = 'fetch or save the file again'
const PICKLE = 'data.pkl'

/**
 * Opens a checkpoint in the zip format, PyTorch's own since 1.6: a folder of any name with `data.pkl`, the storages as
 * `data/<key>` and, since 2.1, `byteorder`.
 *
 * @throws FileError when the archive or the pickle is refused, or a storage is missing or has another size than said
 */
export const openZipCheckpoint = (input: TorchFileInput): TorchFile => {
  const { source, budget } = input
  const archive = openZip(source, budget)
  const folder = checkpointFolder(archive, source.name)
  const bigEndian = isBigEndian(archive, folder, source.name)
  const table = storageTable(input)
  // A name of its own, so that positions in messages are understood as those within the pickle.
  const pickle = memorySource(archive.read(folder + PICKLE), `${source.name}(${PICKLE})`)
  const reader = new ByteReader(pickle)
  const root = unpickle(reader, table.context)
  if (reader.position !== pickle.size) {
    throw new FileError(pickle.name, `${pickle.size - reader.position} bytes follow the end of the pickle`, AGAIN)
  }
  const entryName = ({ key }: TorchStorage): string => `${folder}data/${key}`
  for (const storage of table.byKey.values()) {
    const size = archive.sizeOf(entryName(storage))
    if (size !== storageBytes(storage)) {
      const wanted = `${storage.dtype} [${storage.size}] needs ${storageBytes(storage)}`
      throw new FileError(source.name, `storage ${quoteKey(storage.key)} has ${size} bytes, ${wanted}`, AGAIN)
    }
  }
  return {
    root,
    readStorage: storage => {
      const bytes = archive.read(entryName(storage))
      return bigEndian ? swapped(bytes, CODECS[storage.dtype].bytesPerElement) : bytes
    },
  }
}

/** The folder with the pickle, as the prefix of its files' names. */
const checkpointFolder = (archive: ZipArchive, source: string): string => {
  const pickles = archive.names.filter(name => /^([^/]+\/)?data\.pkl$/.test(name))
  if (pickles.length !== 1) {
    throw new FileError(
      source,
      `the archive has ${archive.names.length} files, ${pickles.length} of them named ${PICKLE}`,
      'give a file that torch.save has written',
    )
  }
  return pickles[0]!.slice(0, -PICKLE.length)
}

const isBigEndian = (archive: ZipArchive, folder: string, source: string): boolean => {
  const name = `${folder}byteorder`
  if (!archive.has(name)) return false
  const order = new TextDecoder().decode(archive.read(name))
  if (order === 'little' || order === 'big') return order === 'big'
  throw new FileError(source, `the byte order is ${quoteKey(order)}, neither little nor big`, AGAIN)
}

const swapped = (bytes: Uint8Array, size: number): Uint8Array => {
  const copy = bytes.slice()
  for (let at = 0; at < copy.length; at += size) copy.subarray(at, at + size).reverse()
  return copy
}
