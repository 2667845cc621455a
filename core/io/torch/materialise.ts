import { FileError, quoteKey } from '../fileError.ts'
import { CODECS, elementCount, type HostTensor } from '../hostTensor.ts'
import type { MemoryBudget } from '../memoryBudget.ts'
import type { TorchFile } from './torchFile.ts'
import type { TorchStorage, TorchTensor } from './torchTensor.ts'

/**
 * Reads the values of tensors, in their order. Each storage is read once, so that at no time more than one of them is in
 * memory beside the results; tensors that are the same view of one storage (tied weights) share their values.
 *
 * @throws FileError naming the tensor whose values have no exact number, or when views repeat more memory than allowed
 */
export const materialise = (
  tensors: Readonly<Record<string, TorchTensor>>,
  { file, budget, name }: { readonly file: TorchFile; readonly budget: MemoryBudget; readonly name: string },
): Record<string, HostTensor> => {
  const byStorage = new Map<TorchStorage, [key: string, tensor: TorchTensor][]>()
  for (const [key, tensor] of Object.entries(tensors)) {
    const group = byStorage.get(tensor.storage) ?? []
    group.push([key, tensor])
    byStorage.set(tensor.storage, group)
  }
  const found = new Map<string, HostTensor>()
  for (const [storage, group] of byStorage) {
    const bytes = file.readStorage(storage)
    const views = new Map<string, HostTensor>()
    for (const [key, tensor] of group) {
      const view = `${tensor.offset}:${tensor.shape}:${tensor.strides}`
      const values = views.get(view) ?? decodeTensor(key, tensor, { bytes, budget, name })
      views.set(view, values)
      found.set(key, values)
    }
  }
  return Object.fromEntries(Object.keys(tensors).map(key => [key, found.get(key)!]))
}

const decodeTensor = (
  key: string,
  tensor: TorchTensor,
  { bytes, budget, name }: { readonly bytes: Uint8Array; readonly budget: MemoryBudget; readonly name: string },
): HostTensor => {
  const { dtype, shape } = tensor
  const codec = CODECS[dtype]
  const valueBytes = dtype === 'F16' || dtype === 'BF16' ? 4 : codec.bytesPerElement
  budget.spend(elementCount(shape) * valueBytes, `tensor ${quoteKey(key)} [${shape}]`)
  try {
    return { dtype, shape, values: codec.decode(rowMajor(tensor, bytes, codec.bytesPerElement)) }
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    throw new FileError(name, `tensor ${quoteKey(key)}: ${cause.message}`, 'the file is damaged or unsuited, save it again', { cause })
  }
}

/** A tensor's elements, the last axis moving fastest, in a buffer of their own. */
const rowMajor = ({ offset, shape, strides }: TorchTensor, bytes: Uint8Array, size: number): Uint8Array<ArrayBuffer> => {
  const count = elementCount(shape)
  const result = new Uint8Array(count * size)
  if (count === 0) return result
  if (isContiguous(shape, strides)) {
    result.set(bytes.subarray(offset * size, (offset + count) * size))
    return result
  }
  const index = shape.map(() => 0)
  let from = offset * size
  for (let to = 0; to < result.length; ) {
    for (let byte = 0; byte < size; byte++) result[to++] = bytes[from + byte]!
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis]! * size
      if (++index[axis]! < shape[axis]!) break
      from -= strides[axis]! * shape[axis]! * size
      index[axis] = 0
    }
  }
  return result
}

/** Axes of one element may have any stride. */
const isContiguous = (shape: readonly number[], strides: readonly number[]): boolean => {
  let expected = 1
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== expected) return false
    expected *= shape[axis]!
  }
  return true
}
