import type { AnyOp } from '../../op.ts'
import { formatShape, type Shape, sizeOf } from '../../shape.ts'
import type { Backend, DType, HostValues, Operand, Storage } from '../backend.ts'
import type { Device, DeviceArray, GpuDevice, GpuKernel, Origin } from './device.ts'
import { createHostDevice } from './hostDevice.ts'
import { kernels } from './kernels.ts'
import { chooseMode, type GpuMode } from './modes.ts'
import { openWebgpu } from './webgpu/open.ts'
import { createWebgpuDevice } from './webgpu/webgpuDevice.ts'
import { hasWgsl } from './wgsl/wgslKernel.ts'
import { wgslKernels } from './wgsl/wgslKernels.ts'

/** Floating-point values live on the device, integers (labels) stay on the host. */
interface GpuStorage extends Storage {
  readonly values: DeviceArray | Int32Array
  readonly bytes: number
}

const isInteger = (storage: Storage): boolean => storage.dtype === 'int32'

const describe = (op: AnyOp, inputs: readonly Operand[], shape: Shape): Origin => ({
  description: `${op.name} ${inputs.map(x => formatShape(x.shape)).join(', ')} -> ${formatShape(shape)}`,
  created: new Error(),
})

/** Runs a kernel, and frees what it has launched except its result. */
const runKernel = (
  launcher: Device,
  free: GpuDevice['free'],
  kernel: (device: Device) => DeviceArray | undefined,
): DeviceArray | undefined => {
  const made = new Set<DeviceArray>()
  const noted = (array: DeviceArray): DeviceArray => {
    made.add(array)
    return array
  }
  const { launch, dispatch } = launcher
  const result = kernel({
    launch: (...call) => noted(launch(...call)),
    ...(dispatch && { dispatch: (...call) => noted(dispatch(...call)) }),
  })
  for (const array of made) if (array !== result) free(array)
  return result
}

/** The op's definition, run on the host with float32 values. */
const define = (op: AnyOp, inputs: readonly Operand[], attributes: unknown, shape: Shape) => (values: readonly HostValues[]) => {
  const output = new Float32Array(sizeOf(shape))
  op.define(
    inputs.map((x, i) => ({ values: values[i]!, shape: x.shape })),
    { values: output, shape },
    attributes,
  )
  return output
}

const createDevice = async (mode: GpuMode): Promise<GpuDevice> => {
  if (mode === 'webgpu') return createWebgpuDevice((await openWebgpu())!.device)
  if (mode === 'headlessgl') throw new Error('backend gpu:headlessgl: there is no device for it; use gpu:webasm')
  return createHostDevice(mode)
}

export interface GpuOptions {
  /** Whether ops use hand-written WGSL where there is some. Without it gpu.js kernels, which it is checked against, compute. */
  readonly wgsl?: boolean
}

/**
 * Ops compiled by gpu.js from source text, in float32, and on WebGPU by hand-written WGSL where there is some. An op, a shape
 * or an integer operand without a kernel runs the op's definition on the host, so every op is always available.
 *
 * `mode` is one of gpu.js's, or `best` for the best one present; the backend is called `gpu:<mode>`. Calls are only
 * enqueued and reads are asynchronous, in the modes that run on the host too.
 *
 * @throws Error when the mode is missing, saying what it needs
 */
export const createGpu = async (mode: GpuMode | 'best', { wgsl = true }: GpuOptions = {}): Promise<Backend> => {
  const chosen = await chooseMode(mode)
  const device = await createDevice(chosen)
  let bytesLive = 0
  let bytesPeak = 0
  const store = (values: DeviceArray | Int32Array, size: number, dtype: DType): GpuStorage => {
    bytesLive += 4 * size
    bytesPeak = Math.max(bytesPeak, bytesLive)
    return { values, bytes: 4 * size, dtype, references: 1 }
  }
  const onHost = (op: AnyOp, origin: Origin, inputs: readonly Operand[], attributes: unknown, shape: Shape): DeviceArray => {
    const arrays = inputs.filter(({ storage }) => !isInteger(storage)).map(({ storage }) => (storage as GpuStorage).values as DeviceArray)
    const compute = define(op, inputs, attributes, shape)
    return device.onHost(origin, arrays, sizeOf(shape), floats => {
      const rest = [...floats]
      return compute(inputs.map(({ storage }) => (isInteger(storage) ? ((storage as GpuStorage).values as Int32Array) : rest.shift()!)))
    })
  }
  const kernelOf = (name: string): GpuKernel<unknown> | undefined => {
    const plain = kernels.get(name) as GpuKernel<unknown> | undefined
    const written = wgslKernels.get(name)
    if (!written) return plain
    return (launcher, ...call) => (hasWgsl(launcher) ? written(launcher, ...call) : undefined) ?? plain?.(launcher, ...call)
  }
  return {
    name: `gpu:${chosen}`,
    floatType: 'float32',
    upload(values, dtype) {
      if (dtype === 'int32') return store(Int32Array.from(values), values.length, dtype)
      return store(device.upload(Float32Array.from(values)), values.length, dtype)
    },
    run(op, inputs, attributes, shape, dtype) {
      const origin = describe(op, inputs, shape)
      const covered = !inputs.some(x => isInteger(x.storage)) && [shape, ...inputs.map(x => x.shape)].every(sizeOf)
      const kernel = covered ? kernelOf(op.kernel ?? op.name) : undefined
      const arrays = inputs.map(({ storage, shape }) => ({ values: (storage as GpuStorage).values, shape }))
      const { launch, dispatch } = device.launcher(origin)
      const launcher = { launch, ...(wgsl && dispatch && { dispatch }) }
      const computed = kernel && runKernel(launcher, device.free, seen => kernel(seen, arrays, shape, attributes))
      return store(computed ?? onHost(op, origin, inputs, attributes, shape), sizeOf(shape), dtype)
    },
    async read(storage, size) {
      const { values } = storage as GpuStorage
      return isInteger(storage) ? (values as Int32Array).slice(0, size) : device.read(values, size)
    },
    free(storage) {
      const { values, bytes } = storage as GpuStorage
      bytesLive -= bytes
      if (!isInteger(storage)) device.free(values)
    },
    memory: () => ({ bytesLive, bytesPeak }),
  }
}
