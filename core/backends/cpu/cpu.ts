import type { AnyOp, HostArray } from '../../op.ts'
import type { ElementwiseAttributes } from '../../ops/elementwise.ts'
import { sizeOf } from '../../shape.ts'
import type { Backend, DType, HostValues, Operand, Storage } from '../backend.ts'
import { createCpuFusion } from './fusion.ts'
import { createHeap } from './heap.ts'
import type { CpuArray } from './kernel.ts'
import { kernels } from './kernels.ts'
import { type HeapStorage, heapStorage } from './storage.ts'
import { settleThreads } from './threads/outstanding.ts'
import { elementwiseAll } from './wasm/elementwise.ts'

/**
 * The fast backend on any machine: float32 in one WebAssembly memory, kernels emitted as SIMD code at run time. An op
 * or a shape without a kernel, or an op on integers, runs its definition on views of the same memory, so every op is always
 * available.
 * Elementwise ops on large arrays wait until they are needed and are then computed together (see ../fusion/fusion.ts).
 */
export const createCpu = (memory: { readonly maximumPages?: number } = {}): Backend => {
  const heap = createHeap(memory)
  const view = (pointer: number, size: number, dtype: DType): HostValues =>
    dtype === 'int32' ? heap.i32(pointer, size) : heap.f32(pointer, size)
  const fusion = createCpuFusion(heap)
  const store = (owner: string, size: number, dtype: DType): HeapStorage => heapStorage(heap.allocate(4 * size, owner), size, dtype)
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
    fusion.settle(storage as HeapStorage)
    const { pointer, dtype } = storage as HeapStorage
    return view(pointer, size, dtype).slice()
  }
  return {
    name: 'cpu',
    floatType: 'float32',
    upload(values, dtype) {
      const storage = store('tensor', values.length, dtype)
      view(storage.pointer, values.length, dtype).set(values)
      return storage
    },
    run(op, inputs, attributes, shape, dtype) {
      if (op.kernel === 'elementwise') {
        const deferred = fusion.defer(op.name, inputs, attributes as ElementwiseAttributes, shape)
        if (deferred) return deferred
      }
      for (const { storage } of inputs) fusion.settle(storage as HeapStorage)
      const size = sizeOf(shape)
      const storage = store(op.name, size, dtype)
      const kernel = inputs.every(x => x.storage.dtype === 'float32') ? kernels.get(op.kernel ?? op.name) : undefined
      const output: CpuArray = { pointer: storage.pointer, shape, dtype: 'float32' }
      try {
        if (!kernel?.(heap, inputs.map(arrayOf), output, attributes)) {
          define(op, inputs, { values: view(storage.pointer, size, dtype), shape }, attributes)
        }
      } catch (error) {
        heap.free(storage.pointer)
        throw error
      }
      return storage
    },
    runAll(name, inputs, attributes, shape) {
      const deferred = fusion.deferAll(name, inputs, attributes, shape)
      if (deferred) return deferred
      for (const { storage } of inputs) fusion.settle(storage as HeapStorage)
      const storages: HeapStorage[] = []
      const giveUp = (): void => {
        for (const { pointer } of storages) heap.free(pointer)
      }
      try {
        for (const _ of attributes.exprs) storages.push(store(name, sizeOf(shape), 'float32'))
        const outputs = storages.map(({ pointer }): CpuArray => ({ pointer, shape, dtype: 'float32' }))
        if (elementwiseAll(heap, inputs.map(arrayOf), outputs, attributes)) return storages
      } catch (error) {
        giveUp()
        throw error
      }
      giveUp()
      return undefined
    },
    read: async (storage, size) => read(storage, size),
    readSync: read,
    free: storage => fusion.release(storage as HeapStorage),
    settle: storage => fusion.settle(storage as HeapStorage),
    finish: settleThreads,
    memory: () => ({ bytesLive: heap.bytesLive, bytesPeak: heap.bytesPeak }),
  }
}
