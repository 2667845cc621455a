import type { AnyOp, HostArray } from '../../op.ts'
import { sizeOf } from '../../shape.ts'
import type { Backend, DType, HostValues, Operand, Storage } from '../backend.ts'
import { createHeap } from './heap.ts'
import type { CpuArray } from './kernel.ts'
import { kernels } from './kernels.ts'

interface HeapStorage extends Storage {
  readonly pointer: number
  readonly size: number
}

/**
 * The fast backend on any machine: float32 in one WebAssembly memory, kernels emitted as SIMD code at run time. An op
 * or a shape without a kernel runs its definition on views of the same memory, so every op is always available.
 */
export const createCpu = (): Backend => {
  const heap = createHeap()
  const view = (pointer: number, size: number, dtype: DType): HostValues =>
    dtype === 'int32' ? heap.i32(pointer, size) : heap.f32(pointer, size)
  const store = (size: number, dtype: DType): HeapStorage => ({ pointer: heap.allocate(Math.max(4, 4 * size)), size, dtype, references: 1 })
  const arrayOf = ({ storage, shape }: Operand): CpuArray => ({
    pointer: (storage as HeapStorage).pointer,
    shape,
    dtype: storage.dtype === 'int32' ? 'int32' : 'float32',
  })
  const define = (op: AnyOp, inputs: readonly Operand[], output: HostArray, attributes: unknown): void =>
    op.define(
      inputs.map(({ storage, shape }) => ({ values: view((storage as HeapStorage).pointer, sizeOf(shape), storage.dtype), shape })),
      output,
      attributes,
    )
  const read = (storage: Storage, size: number): HostValues => {
    const { pointer, dtype } = storage as HeapStorage
    return view(pointer, size, dtype).slice()
  }
  return {
    name: 'cpu',
    floatType: 'float32',
    upload(values, dtype) {
      const storage = store(values.length, dtype)
      view(storage.pointer, values.length, dtype).set(values)
      return storage
    },
    run(op, inputs, attributes, shape, dtype) {
      const size = sizeOf(shape)
      const storage = store(size, dtype)
      const kernel = kernels.get(op.kernel ?? op.name)
      const output: CpuArray = { pointer: storage.pointer, shape, dtype: 'float32' }
      if (!kernel?.(heap, inputs.map(arrayOf), output, attributes)) {
        define(op, inputs, { values: view(storage.pointer, size, dtype), shape }, attributes)
      }
      return storage
    },
    read: async (storage, size) => read(storage, size),
    readSync: read,
    free: storage => heap.free((storage as HeapStorage).pointer),
    memory: () => ({ bytesLive: heap.bytesLive, bytesPeak: heap.bytesPeak }),
  }
}
