import { elementCount, type HostDtype } from '../hostTensor.ts'

/** The memory of one or more tensors, as the file refers to it. */
export class TorchStorage {
  readonly key: string
  readonly dtype: HostDtype
  /** In elements. */
  readonly size: number

  constructor(key: string, dtype: HostDtype, size: number) {
    this.key = key
    this.dtype = dtype
    this.size = size
  }
}

/** A run of elements of a storage: all of it but in old files, which save parts of a storage as views. */
export class StorageView {
  readonly storage: TorchStorage
  readonly offset: number
  readonly size: number

  constructor(storage: TorchStorage, offset = 0, size: number = storage.size) {
    this.storage = storage
    this.offset = offset
    this.size = size
  }
}

/** A tensor before its values are read: element (i, j, ...) lies at `offset + i * strides[0] + j * strides[1] + ...`. */
export class TorchTensor {
  readonly storage: TorchStorage
  readonly offset: number
  readonly shape: readonly number[]
  readonly strides: readonly number[]

  constructor(
    storage: TorchStorage,
    layout: { readonly offset: number; readonly shape: readonly number[]; readonly strides: readonly number[] },
  ) {
    this.storage = storage
    this.offset = layout.offset
    this.shape = layout.shape
    this.strides = layout.strides
  }

  get dtype(): HostDtype {
    return this.storage.dtype
  }
}

/** PyTorch's own limit on the number of axes. */
const MAX_RANK = 64

const isIndex = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

/**
 * A tensor on a storage; its strides may be any, its elements must lie within the storage.
 * @throws RangeError
 */
export const tensorOn = (view: unknown, offset: unknown, shape: unknown, strides: unknown): TorchTensor => {
  if (!(view instanceof StorageView)) throw new RangeError('a tensor needs a storage')
  if (!isIndex(offset)) throw new RangeError('the storage offset of a tensor must be a whole number >= 0')
  for (const list of [shape, strides]) {
    if (!Array.isArray(list) || list.length > MAX_RANK || !list.every(isIndex)) {
      throw new RangeError(`shape and strides of a tensor must be at most ${MAX_RANK} whole numbers >= 0`)
    }
  }
  const [extents, steps] = [shape as readonly number[], strides as readonly number[]]
  if (extents.length !== steps.length) throw new RangeError(`shape [${extents}] and strides [${steps}] differ in length`)
  const count = elementCount(extents)
  const last = extents.reduce((at, extent, axis) => at + (extent - 1) * steps[axis]!, offset)
  if (count > 0 && last >= view.size) {
    throw new RangeError(
      `a tensor [${extents}] with strides [${steps}] and offset ${offset} ends beyond the ${view.size} elements of its storage`,
    )
  }
  return new TorchTensor(view.storage, { offset: view.offset + offset, shape: extents, strides: steps })
}
