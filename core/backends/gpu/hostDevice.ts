import { GPU, type IKernelRunShortcut } from 'gpu.js'
import { sizeOf } from '../../shape.ts'
import type { Device, DeviceArray, GpuDevice, Program } from './device.ts'
import type { HostMode } from './modes.ts'

interface Compiled {
  readonly run: (...values: readonly (Float32Array | number)[]) => unknown
  readonly destroy: () => void
  /** Bytes its arguments and its result take in the memory that it keeps. */
  readonly bytes: number
}

/** Compiled kernels keep memory for their arguments; those unused for longest are dropped beyond these. */
const mostKernels = 512
const mostBytes = 256 * 2 ** 20

/**
 * A program as gpu.js draws it with OpenGL. It makes a result of two axes a texture with these sides, which fails where one is
 * longer than textures can be, and folds one of three axes into a square: the second axis becomes the third.
 */
const folded = (program: Program): Program =>
  program.grid.length === 2
    ? { ...program, grid: [program.grid[0]!, 1, program.grid[1]!], body: program.body.replaceAll('this.thread.y', 'this.thread.z') }
    : program

/** A list of parameters and a body as the source text that gpu.js parses. */
const functionText = ({ body }: Program, inputs: number, params: number): string => {
  const names = [...Array.from({ length: inputs }, (_, i) => `x${i}`), ...Array.from({ length: params }, (_, i) => `p${i}`)]
  return `function (${names.join(', ')}) {\n${body}\n}`
}

/** The result of a kernel with two or three output axes comes as nested rows. */
const flatten = (result: unknown, size: number): Float32Array => {
  if (result instanceof Float32Array) return result
  let row: unknown = result
  while (Array.isArray(row)) row = row[0]
  const { buffer } = row as Float32Array
  // Rows of webasm are views of one array.
  if (buffer.byteLength === 4 * size) return new Float32Array(buffer as ArrayBuffer)
  const flat = new Float32Array(size)
  let at = 0
  for (const values of (result as unknown[]).flat() as (Float32Array | number)[]) {
    if (typeof values === 'number') flat[at++] = values
    else {
      flat.set(values, at)
      at += values.length
    }
  }
  return flat
}

/**
 * Kernels compiled by gpu.js to WebAssembly (`webasm`), JavaScript (`cpu`) or GLSL (`headlessgl`), run at once on values in the
 * host's memory; OpenGL gets a copy of its arguments at every call.
 *
 * One kernel per program and number of arguments, with explicit argument types and `precision: 'single'`, called only with
 * the sizes it was made for: gpu.js returns wrong shapes, silently, when they change. Sizes and loop bounds are literals,
 * because gpu.js stops other loops after 1000 rounds and computes other indices in float32.
 *
 * OpenGL need not know NaN: min(max(NaN, 0), 1) is 1 there, and selections written out are folded to the same.
 */
export const createHostDevice = (mode: HostMode): GpuDevice => {
  const gpu = new GPU({ mode })
  const cache = new Map<string, Compiled>()
  let cachedBytes = 0

  const compile = (given: Program, inputs: readonly DeviceArray[], params: number): Compiled => {
    const program = mode === 'headlessgl' ? folded(given) : given
    const text = functionText(program, inputs.length, params)
    const kernel: IKernelRunShortcut = gpu.createKernel(text as never, {
      output: [...program.grid],
      precision: 'single',
      argumentTypes: [...inputs.map(() => 'Array'), ...Array.from({ length: params }, () => 'Float')] as never,
      functions: [...program.functions] as never,
    })
    const length = inputs.reduce((total, x) => total + x.length, sizeOf(program.grid))
    return { run: (...values) => kernel(...(values as never[])), destroy: () => kernel.destroy(), bytes: 4 * length }
  }

  const drop = (key: string, kernel: Compiled): void => {
    cache.delete(key)
    cachedBytes -= kernel.bytes
    kernel.destroy()
  }

  /** Takes a kernel from the cache or makes it, and puts it last in the order of dropping. */
  const kernelFor = (program: Program, inputs: readonly DeviceArray[], params: number): Compiled => {
    const key = [program.grid.join('x'), inputs.map(x => x.length).join(), params, program.body].join(';')
    const known = cache.get(key)
    const kernel = known ?? compile(program, inputs, params)
    if (known) cache.delete(key)
    else cachedBytes += kernel.bytes
    cache.set(key, kernel)
    for (const [oldKey, old] of cache) {
      if (cache.size <= mostKernels && cachedBytes <= mostBytes) break
      if (old !== kernel) drop(oldKey, old)
    }
    return kernel
  }

  const device: Device = {
    launch(program, inputs, params = []) {
      const kernel = kernelFor(program, inputs, params.length)
      return flatten(kernel.run(...(inputs as readonly Float32Array[]), ...params), sizeOf(program.grid))
    },
  }
  return {
    launcher: () => device,
    upload: values => values,
    read: async (array, size) => (array as Float32Array).slice(0, size),
    onHost: (_, inputs, _length, compute) => compute(inputs as readonly Float32Array[]),
    free: () => undefined,
  }
}
