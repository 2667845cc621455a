import type { AnyOp } from '../../op.ts'
import type { ElementwiseAttributes } from '../../ops/elementwise.ts'
import type { SeveralAttributes } from '../../ops/elementwiseAll.ts'
import { formatShape, type Shape, sizeOf } from '../../shape.ts'
import type { Backend, DType, HostValues, Operand, Storage } from '../backend.ts'
import type { Device, DeviceArray, GpuArray, GpuDevice, GpuKernel, Origin } from './device.ts'
import { createGpuFusion, type GpuStorage, gpuStorage, isInteger } from './fusion.ts'
import { createHostDevice } from './hostDevice.ts'
import { kernels } from './kernels.ts'
import { chooseMode, type GpuMode } from './modes.ts'
import { viewAs } from './view.ts'
import { abilitiesOf } from './webgpu/abilities.ts'
import { openWebgpu } from './webgpu/open.ts'
import { createWebgpuDevice } from './webgpu/webgpuDevice.ts'
import type { Abilities } from './wgsl/abilities.ts'
import { mapViewsAll } from './wgsl/mapViews.ts'
import { hasWgsl } from './wgsl/wgslKernel.ts'
import { wgslKernels } from './wgsl/wgslKernels.ts'

const describe = (name: string, inputs: readonly { readonly shape: Shape }[], shape: Shape): Origin => ({
  description: `${name} ${inputs.map(x => formatShape(x.shape)).join(', ')} -> ${formatShape(shape)}`,
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
    ...launcher,
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

const createDevice = async (mode: GpuMode, abilities?: Abilities): Promise<GpuDevice> => {
  if (mode === 'webgpu') {
    const opened = (await openWebgpu())!
    return createWebgpuDevice(opened.device, abilitiesOf(opened, abilities))
  }
  return createHostDevice(mode)
}

export interface GpuOptions {
  /** Whether ops use hand-written WGSL where there is some. Without it gpu.js kernels, which it is checked against, compute. */
  readonly wgsl?: boolean
  /** What hand-written WGSL uses. Default: what the device has and what was measured on it. */
  readonly abilities?: Abilities
  /** Told of every op what has computed it. */
  readonly onComputed?: (op: string, by: ComputedBy) => void
}

/** Hand-written WGSL, kernels compiled by gpu.js, or the op's definition on the host. */
export type ComputedBy = 'WGSL' | 'gpu.js' | 'definition'

/**
 * Ops compiled by gpu.js from source text, in float32, and on WebGPU by hand-written WGSL where there is some. An op, a shape
 * or an integer operand without a kernel runs the op's definition on the host, so every op is always available.
 *
 * `mode` is one of gpu.js's, or `best` for the best one present; the backend is called `gpu:<mode>`, or `gpu:webgpu:half` when
 * its products are to be of half precision. Calls are only enqueued and reads are asynchronous, in the modes that run on the
 * host too. With WGSL, elementwise ops on large arrays wait until they are needed and are then computed together (see
 * ../fusion/fusion.ts).
 *
 * @throws Error when the mode, or half precision on it, is missing, saying what it needs
 */
export const createGpu = async (
  mode: GpuMode | 'best',
  { wgsl = true, abilities, onComputed = () => undefined }: GpuOptions = {},
): Promise<Backend> => {
  const chosen = await chooseMode(mode)
  const device = await createDevice(chosen, abilities)
  const { dispatch } = device.launcher({ description: '', created: new Error() })
  const fuses = wgsl && dispatch !== undefined
  let bytesLive = 0
  let bytesPeak = 0
  const allocated = ({ size }: GpuStorage): void => {
    bytesLive += 4 * size
    bytesPeak = Math.max(bytesPeak, bytesLive)
  }
  const store = (values: DeviceArray | Int32Array, size: number, dtype: DType): GpuStorage => {
    const storage = gpuStorage(values, size, dtype)
    allocated(storage)
    return storage
  }
  const free = ({ values, size, dtype }: GpuStorage): void => {
    bytesLive -= 4 * size
    if (dtype !== 'int32') device.free(values as DeviceArray)
  }
  const onHost = (op: AnyOp, origin: Origin, inputs: readonly Operand[], attributes: unknown, shape: Shape): DeviceArray => {
    const arrays = inputs.filter(({ storage }) => !isInteger(storage)).map(({ storage }) => (storage as GpuStorage).values as DeviceArray)
    const compute = define(op, inputs, attributes, shape)
    onComputed(op.name, 'definition')
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
  const runOnDevice = (
    op: { name: string; kernel?: string },
    origin: Origin,
    inputs: readonly GpuArray[],
    shape: Shape,
    attributes: unknown,
  ) => {
    const kernel = kernelOf(op.kernel ?? op.name)
    if (!kernel) return undefined
    const { launch, dispatch, ...more } = device.launcher(origin)
    let by: ComputedBy = 'WGSL'
    const launcher: Device = {
      ...more,
      launch: (...call) => {
        by = 'gpu.js'
        return launch(...call)
      },
      ...(wgsl && dispatch && { dispatch }),
    }
    const computed = runKernel(launcher, device.free, seen => kernel(seen, inputs, shape, attributes))
    if (computed) onComputed(op.name, by)
    return computed
  }
  /** Several elementwise functions in one pass, in WGSL; undefined when they are not covered. */
  const allOnDevice = (name: string, inputs: readonly GpuArray[], shape: Shape, { exprs, params }: SeveralAttributes) => {
    const launcher = device.launcher(describe(name, inputs, shape))
    if (!hasWgsl(launcher)) return undefined
    const computed = mapViewsAll(launcher, { shape, views: inputs.map(x => viewAs(x, shape)), exprs, params })
    if (computed) onComputed(name, 'WGSL')
    return computed
  }
  const runAll: NonNullable<Backend['runAll']> = (name, inputs, attributes, shape) => {
    const deferred = fusion.deferAll(name, inputs, attributes, shape)
    if (deferred) return deferred
    if (inputs.some(x => isInteger(x.storage)) || ![shape, ...inputs.map(x => x.shape)].every(sizeOf)) return undefined
    const arrays = inputs.map(x => ({ values: settled(x.storage) as DeviceArray, shape: x.shape }))
    return allOnDevice(name, arrays, shape, attributes)?.map(values => store(values, sizeOf(shape), 'float32'))
  }
  const fusion = createGpuFusion({
    free,
    allocated,
    elementwiseAll(name, inputs, shape, { exprs, params }) {
      const origin = describe(name, inputs, shape)
      const together = exprs.length > 1 ? allOnDevice(name, inputs, shape, { exprs, params }) : undefined
      return (
        together ??
        exprs.map(expr => {
          const computed = runOnDevice({ name, kernel: 'elementwise' }, origin, inputs, shape, { expr, params })
          if (!computed)
            throw new Error(`${origin.description}: there is no kernel for its fused expression; use --backend cpu, and report this line`)
          return computed
        })
      )
    },
  })
  const settled = (storage: Storage): DeviceArray | Int32Array => {
    fusion.settle(storage as GpuStorage)
    return (storage as GpuStorage).values!
  }
  const capture: NonNullable<Backend['capture']> = async (inputs, step) => {
    const asArrays = (operands: readonly Operand[]) =>
      operands.map(({ storage, shape }, i) => {
        if (!isInteger(storage)) return settled(storage) as DeviceArray
        throw new Error(
          `capture: operand ${i} ${formatShape(shape)} is of int32, which stays on the host; use it within the step, or as float32`,
        )
      })
    const captured = await device.capture!(asArrays(inputs), copies => {
      const own = inputs.map(({ shape }, i) => ({ storage: store(copies[i]!, sizeOf(shape), 'float32'), shape }))
      return asArrays(step(own))
    })
    bytesLive += captured.bytes
    bytesPeak = Math.max(bytesPeak, bytesLive)
    return {
      kernels: captured.dispatches,
      run: next => captured.run(asArrays(next)).map(array => store(array, array.length, 'float32')),
      dispose() {
        bytesLive -= captured.bytes
        captured.destroy()
      },
    }
  }
  return {
    name: `gpu:${chosen}${chosen === 'webgpu' && abilities?.half ? ':half' : ''}`,
    floatType: 'float32',
    upload(values, dtype) {
      if (dtype === 'int32') return store(Int32Array.from(values), values.length, dtype)
      return store(device.upload(Float32Array.from(values)), values.length, dtype)
    },
    run(op, inputs, attributes, shape, dtype) {
      const deferred =
        fuses && op.kernel === 'elementwise' ? fusion.defer(op.name, inputs, attributes as ElementwiseAttributes, shape) : undefined
      if (deferred) return deferred
      const arrays = inputs.map(x => ({ values: settled(x.storage), shape: x.shape }))
      const origin = describe(op.name, arrays, shape)
      const covered = !inputs.some(x => isInteger(x.storage)) && [shape, ...inputs.map(x => x.shape)].every(sizeOf)
      const computed = covered ? runOnDevice(op, origin, arrays, shape, attributes) : undefined
      return store(computed ?? onHost(op, origin, inputs, attributes, shape), sizeOf(shape), dtype)
    },
    ...(fuses && { runAll }),
    async read(storage, size) {
      const values = settled(storage)
      return isInteger(storage) ? (values as Int32Array).slice(0, size) : device.read(values, size)
    },
    free: storage => fusion.release(storage as GpuStorage),
    settle: storage => fusion.settle(storage as GpuStorage),
    memory: () => ({ bytesLive, bytesPeak }),
    ...(fuses && device.capture && { capture }),
  }
}
