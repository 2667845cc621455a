import type { AnyOp } from '../../op.ts'
import { sizeOf } from '../../shape.ts'
import type { Backend, DType, HostValues, Operand, Storage } from '../backend.ts'
import type { GpuArray } from './device.ts'
import { createHostDevice } from './hostDevice.ts'
import { kernels } from './kernels.ts'
import { chooseMode, type GpuMode } from './modes.ts'

interface GpuStorage extends Storage {
  readonly values: HostValues
}

const allocate = (size: number, dtype: DType): HostValues => (dtype === 'int32' ? new Int32Array(size) : new Float32Array(size))

const isFloat = ({ storage }: Operand): boolean => storage.dtype !== 'int32'

/**
 * Ops compiled by gpu.js from source text, in float32. An op, a shape or an integer operand without a kernel runs the op's
 * definition on the host, so every op is always available.
 *
 * `mode` is one of gpu.js's, or `best` for the best one present; the backend is called `gpu:<mode>`. In the modes that run
 * on the host arrays are plain Float32Arrays, copied to and from each kernel. Kernels see them only as `DeviceArray`s and
 * reads are asynchronous, so that a device with memory of its own needs another `Device` and storage, and no other kernel.
 *
 * @throws Error when the mode is missing, saying what it needs
 */
export const createGpu = (mode: GpuMode | 'best'): Backend => {
  const chosen = chooseMode(mode)
  const device = createHostDevice(chosen)
  let bytesLive = 0
  let bytesPeak = 0
  const store = (values: HostValues, dtype: DType): GpuStorage => {
    bytesLive += values.byteLength
    bytesPeak = Math.max(bytesPeak, bytesLive)
    return { values, dtype, references: 1 }
  }
  const arrayOf = ({ storage, shape }: Operand): GpuArray => ({ values: (storage as GpuStorage).values, shape })
  const define = (op: AnyOp, inputs: readonly Operand[], attributes: unknown, shape: readonly number[], dtype: DType): HostValues => {
    const values = allocate(sizeOf(shape), dtype)
    op.define(
      inputs.map(({ storage, shape }) => ({ values: (storage as GpuStorage).values, shape })),
      { values, shape },
      attributes,
    )
    return values
  }
  return {
    name: `gpu:${chosen}`,
    floatType: 'float32',
    upload(values, dtype) {
      const copy = allocate(values.length, dtype)
      copy.set(values)
      return store(copy, dtype)
    },
    run(op, inputs, attributes, shape, dtype) {
      const covered = dtype !== 'int32' && inputs.every(isFloat) && [shape, ...inputs.map(x => x.shape)].every(sizeOf)
      const kernel = covered ? kernels.get(op.kernel ?? op.name) : undefined
      const computed = kernel?.(device, inputs.map(arrayOf), shape, attributes) as Float32Array | undefined
      return store(computed ?? define(op, inputs, attributes, shape, dtype), dtype)
    },
    read: async (storage, size) => (storage as GpuStorage).values.slice(0, size),
    free(storage) {
      bytesLive -= (storage as GpuStorage).values.byteLength
    },
    memory: () => ({ bytesLive, bytesPeak }),
  }
}
