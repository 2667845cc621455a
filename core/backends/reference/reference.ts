import type { HostArray } from '../../op.ts'
import { sizeOf } from '../../shape.ts'
import type { Backend, DType, HostValues, Operand, Storage } from '../backend.ts'

interface HostStorage extends Storage {
  readonly values: HostValues
}

const allocate = (size: number, dtype: DType): HostValues => {
  if (dtype === 'int32') return new Int32Array(size)
  return dtype === 'float32' ? new Float32Array(size) : new Float64Array(size)
}

const operand = ({ storage, shape }: Operand): HostArray => ({ values: (storage as HostStorage).values, shape })

/**
 * The living definition: every op is its own `define`, in float64 plain loops. Slow and obvious.
 */
export const createReference = (name = 'reference'): Backend => {
  let bytesLive = 0
  let bytesPeak = 0
  const store = (values: HostValues, dtype: DType): HostStorage => {
    bytesLive += values.byteLength
    bytesPeak = Math.max(bytesPeak, bytesLive)
    return { values, dtype, references: 1 }
  }
  const read = (storage: Storage, size: number): HostValues => (storage as HostStorage).values.slice(0, size)
  return {
    name,
    floatType: 'float64',
    upload(values, dtype) {
      const copy = allocate(values.length, dtype)
      copy.set(values)
      return store(copy, dtype)
    },
    run(op, inputs, attributes, shape, dtype) {
      const output = allocate(sizeOf(shape), dtype)
      op.define(inputs.map(operand), { values: output, shape }, attributes)
      return store(output, dtype)
    },
    read: async (storage, size) => read(storage, size),
    readSync: read,
    free(storage) {
      bytesLive -= (storage as HostStorage).values.byteLength
    },
    memory: () => ({ bytesLive, bytesPeak }),
  }
}

/**
 * The reference backend with reads that only arrive later and no synchronous ones, as on a GPU. The specs run every
 * algorithm on it, so that no hidden synchronous read creeps in.
 */
export const createFakeAsync = (): Backend => {
  const { readSync: _, ...backend } = createReference('fakeAsync')
  return {
    ...backend,
    read: async (storage, size) => {
      await new Promise(resolve => setTimeout(resolve, 0))
      return backend.read(storage, size)
    },
  }
}
