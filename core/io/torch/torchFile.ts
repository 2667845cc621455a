import type { ByteSource } from '../byteSource.ts'
import { CODECS, elementCount } from '../hostTensor.ts'
import type { MemoryBudget } from '../memoryBudget.ts'
import type { PickleContext } from './pickleMachine.ts'
import { kindOf, type PickleValue } from './pickleValue.ts'
import { storageDtype, torchGlobals } from './torchGlobals.ts'
import { StorageView, TorchStorage } from './torchTensor.ts'

/** An opened file: the object in it, and access to the values of its storages. */
export interface TorchFile {
  readonly root: PickleValue
  /** The bytes of a storage, little endian. They may be shared and are not to be changed. @throws FileError */
  readonly readStorage: (storage: TorchStorage) => Uint8Array
}

/** How to open one of the two file formats. */
export interface TorchFileInput {
  readonly source: ByteSource
  readonly budget: MemoryBudget
  /** Keep objects of unknown classes as data instead of refusing the file. */
  readonly inert: boolean
}

export const storageBytes = ({ dtype, size }: TorchStorage): number => CODECS[dtype].bytesPerElement * size

/** The storages that a pickle refers to by persistent ids, each once. */
export interface StorageTable {
  readonly byKey: ReadonlyMap<string, TorchStorage>
  readonly context: PickleContext
}

/**
 * Resolves persistent ids: `('storage', class, key, device, size[, view])` with `view` None or `(key, offset, size)`,
 * and in old files `('module', class, source file, source text)`, of which the class is taken and the text ignored.
 */
export const storageTable = ({ budget, inert }: TorchFileInput): StorageTable => {
  const byKey = new Map<string, TorchStorage>()
  const storageOf = (key: PickleValue | undefined, type: PickleValue | undefined, size: PickleValue | undefined): TorchStorage => {
    const dtype = storageDtype(type)
    if (!dtype) throw new RangeError(`a storage has ${kindOf(type)} as its class`)
    if (typeof key !== 'string' || key === '') throw new RangeError('a storage has no key')
    const count = requireCount(size)
    const known = byKey.get(key)
    if (!known) {
      budget.spend(128, 'the list of storages')
      const storage = new TorchStorage(key, dtype, count)
      byKey.set(key, storage)
      return storage
    }
    if (known.dtype !== dtype || known.size !== count) {
      throw new RangeError(`storage ${JSON.stringify(key)} is once ${known.dtype} [${known.size}], once ${dtype} [${count}]`)
    }
    return known
  }
  const persistentLoad = (id: PickleValue): PickleValue => {
    const [kind, type, key, , size, view = null] = Array.isArray(id) ? (id as PickleValue[]) : []
    if (kind === 'module' && type !== undefined) return type
    if (kind !== 'storage') throw new RangeError('a persistent id is neither a storage nor a module')
    const storage = storageOf(key, type, size)
    return view === null ? new StorageView(storage) : partOf(storage, view)
  }
  return { byKey, context: { findGlobal: torchGlobals(budget, inert), persistentLoad, budget } }
}

/** A number of elements. @throws RangeError */
const requireCount = (value: PickleValue | undefined): number => {
  if (typeof value !== 'number') throw new RangeError(`a number of elements is ${kindOf(value)}`)
  return elementCount([value])
}

const partOf = (storage: TorchStorage, view: PickleValue): StorageView => {
  const [offset, size] = (Array.isArray(view) ? (view as PickleValue[]) : []).slice(1, 3).map(requireCount)
  if (offset === undefined || size === undefined) throw new RangeError(`a view of a storage is ${kindOf(view)}`)
  if (offset + size > storage.size) {
    throw new RangeError(`a view of ${size} elements at ${offset} ends beyond the ${storage.size} elements of its storage`)
  }
  return new StorageView(storage, offset, size)
}
