import { FileError, quoteKey } from '../fileError.ts'
import { ByteReader } from './byteReader.ts'
import { type PickleValue, textOf } from './pickleValue.ts'
import { storageBytes, storageTable, type TorchFile, type TorchFileInput } from './torchFile.ts'
import type { TorchStorage } from './torchTensor.ts'
import { unpickle } from './unpickle.ts'

const AGAIN = 'fetch or save the file again'
/** The first pickle of every file of this format. */
const MAGIC = 0x1950a86a20f9469cfc6cn
const PROTOCOL = 1001
/** The number of elements in front of each storage. */
const COUNT_BYTES = 8

/**
 * Opens a checkpoint in the format before PyTorch 1.6: five pickles (magic number, protocol, facts about the machine,
 * the object, the keys of its storages), then for each key the number of elements and the elements themselves.
 *
 * @throws FileError when a pickle is refused, or the storages are not those that the object refers to
 */
export const openLegacyCheckpoint = (input: TorchFileInput): TorchFile => {
  const { source } = input
  const fail = (rule: string, remedy = AGAIN): never => {
    throw new FileError(source.name, rule, remedy)
  }
  const reader = new ByteReader(source)
  const { context: plain } = storageTable({ ...input, inert: false })
  if (unpickle(reader, plain) !== MAGIC)
    fail('the first pickle is not the magic number of torch.save', 'give a file that torch.save has written')
  const protocol = unpickle(reader, plain)
  if (protocol !== PROTOCOL) fail(`the protocol is ${textOf(protocol).slice(0, 40)}, only ${PROTOCOL} exists`)
  const machine = unpickle(reader, plain)
  if (!(machine instanceof Map) || machine.get('little_endian') !== true)
    fail('the file is not little endian', 'save it on another machine')
  const { byKey, context } = storageTable(input)
  const root = unpickle(reader, context)
  const keys = unpickle(reader, plain)
  const begins = locate(keys, { byKey, reader, fail })
  return {
    root,
    readStorage: storage => {
      const begin = begins.get(storage.key)!
      return source.read(begin, begin + storageBytes(storage))
    },
  }
}

/** Where the elements of each storage begin. The storages follow the pickles without gaps and end with the file. */
const locate = (
  keys: PickleValue,
  file: { byKey: ReadonlyMap<string, TorchStorage>; reader: ByteReader; fail: (rule: string) => never },
): ReadonlyMap<string, number> => {
  const { byKey, reader, fail } = file
  if (!Array.isArray(keys)) return fail('the list of storages is no list')
  const begins = new Map<string, number>()
  for (const key of keys as PickleValue[]) {
    const storage = typeof key === 'string' ? byKey.get(key) : undefined
    if (!storage || begins.has(storage.key)) return fail(`storage ${quoteKey(textOf(key))} is listed twice or belongs to no tensor`)
    const count = reader.view(COUNT_BYTES).getBigInt64(0, true)
    if (count !== BigInt(storage.size))
      return fail(`storage ${quoteKey(storage.key)} has ${count} elements, its tensors need ${storage.size}`)
    const end = reader.position + storageBytes(storage)
    if (end > reader.source.size) {
      return fail(`file is truncated: storage ${quoteKey(storage.key)} ends at byte ${end}, the file has ${reader.source.size}`)
    }
    begins.set(storage.key, reader.position)
    reader.position = end
  }
  const missing = [...byKey.keys()].find(key => !begins.has(key))
  if (missing !== undefined) return fail(`storage ${quoteKey(missing)} is not in the file`)
  if (reader.position !== reader.source.size) return fail(`${reader.source.size - reader.position} bytes follow the last storage`)
  return begins
}
