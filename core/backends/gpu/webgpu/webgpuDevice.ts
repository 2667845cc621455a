import type { Device, DeviceArray, DispatchArguments, GpuDevice, Origin, Program, Shader } from '../device.ts'
import type { Abilities } from '../wgsl/abilities.ts'
import { mostArguments } from '../wgsl/indexing.ts'
import { createBindGroups } from './bindGroups.ts'
import { createBufferPool } from './bufferPool.ts'
import { captureArrays, noteCommand, type Recording } from './capture.ts'
import { createCommandQueue } from './commandQueue.ts'
import { type Command, lateError, type WebgpuArray } from './commands.ts'
import { createEncoder } from './encode.ts'
import { createMemory } from './memory.ts'
import { createPipelines } from './pipelines.ts'
import { translate } from './translate.ts'

/**
 * Programs and WGSL on a WebGPU device. A launch takes a buffer for its result from the pool and appends to a list of commands;
 * nothing is submitted before the list is long or something is read. Errors that come later reject the reads of
 * whatever was computed from the failed op, and say which op that was. `wgsl` is what its kernels may use.
 */
export const createWebgpuDevice = (device: GPUDevice, wgsl: Abilities = {}): GpuDevice => {
  const bindGroups = createBindGroups(device)
  const memory = createMemory(device)
  const pool = createBufferPool(memory, () => bindGroups.clear())
  const pipelines = createPipelines(device)
  const queue = createCommandQueue(device, pool, createEncoder(device, bindGroups))
  const shaders = new Map<string, Shader>()
  const mostBytes = Math.min(device.limits.maxBufferSize, device.limits.maxStorageBufferBindingSize)
  let lost: Error | undefined
  let recording: Recording | undefined
  const add = (command: Command): void => {
    if (recording) noteCommand(recording, command)
    queue.add(command)
  }
  void device.lost.then(({ message }) => {
    lost = new Error(`webgpu: the device was lost, ${message}; start again, and resume the run`)
  })

  const allocate = (length: number, origin: Origin, forHost = false): WebgpuArray => {
    if (4 * length > mostBytes) {
      throw new Error(
        `${origin.description}: an array of ${4 * length} bytes is larger than this device's ${mostBytes}; use smaller batches or --backend cpu`,
      )
    }
    const source = recording?.arena ?? pool
    const before = source.bytes
    const array: WebgpuArray = { length, buffer: source.take(4 * length, forHost), source }
    if (source.bytes > before) {
      queue.check(
        memory.last.then(error => {
          if (error) array.failure ??= lateError(origin, `the device has no ${4 * length} bytes left beside ${before}`)
        }),
      )
    }
    return array
  }

  const checkArguments = ({ description }: Origin, { sizes = [], params = [] }: DispatchArguments): void => {
    if (sizes.length + params.length <= mostArguments) return
    throw new Error(
      `${description}: ${sizes.length} sizes and ${params.length} parameters are more than the ${mostArguments} numbers that one dispatch takes; use --backend cpu, and report this line`,
    )
  }

  const addDispatch = (
    origin: Origin,
    { shader, inputs, outputs }: { shader: Shader; inputs: readonly DeviceArray[]; outputs: readonly WebgpuArray[] },
    { sizes = [], params = [] }: DispatchArguments,
  ): void =>
    add({
      kind: 'dispatch',
      origin,
      built: pipelines.get(shader, { inputs: inputs.length, outputs: outputs.length, hasParams: sizes.length + params.length > 0 }),
      workgroups: shader.workgroups,
      inputs: inputs as readonly WebgpuArray[],
      outputs,
      sizes,
      params,
    })

  const dispatch = (origin: Origin, shader: Shader, inputs: readonly DeviceArray[], given: DispatchArguments = {}): DeviceArray => {
    checkArguments(origin, given)
    const output = (given.into as WebgpuArray | undefined) ?? allocate(shader.length, origin)
    addDispatch(origin, { shader, inputs, outputs: [output] }, given)
    return output
  }

  const shaderOf = (program: Program, inputs: number, params: number): Shader => {
    const key = `${program.grid};${inputs};${params};${program.body}`
    let shader = shaders.get(key)
    if (!shader) {
      shader = translate(program, inputs, params)
      shaders.set(key, shader)
    }
    return shader
  }

  const enqueueRead = (array: DeviceArray, size: number): Promise<Float32Array> =>
    new Promise((resolve, reject) => {
      const command: Command = { kind: 'read', array: array as WebgpuArray, size, resolve, reject }
      add(command)
    })

  const write = (array: WebgpuArray, values: Float32Array): void =>
    device.queue.writeBuffer(array.buffer, 0, values as Float32Array<ArrayBuffer>)

  return {
    launcher: (origin): Device => ({
      launch: (program, inputs, params = []) => dispatch(origin, shaderOf(program, inputs.length, params.length), inputs, { params }),
      dispatch: (shader, inputs, given) => dispatch(origin, shader, inputs, given),
      dispatchAll: (shader, inputs, given) => {
        checkArguments(origin, given)
        const outputs = Array.from({ length: given.results }, () => allocate(shader.length, origin))
        addDispatch(origin, { shader, inputs, outputs }, given)
        return outputs
      },
      wgsl,
    }),
    upload(values) {
      const array = allocate(Math.max(1, values.length), { description: `upload of [${values.length}]`, created: new Error() }, true)
      write(array, values)
      return array
    },
    async read(array, size) {
      if (size === 0) return new Float32Array(0)
      const values = enqueueRead(array, size)
      // Its failure is that of the read, which is what the caller gets.
      queue.flush().catch(() => undefined)
      return values.catch(error => {
        throw lost ?? error
      })
    },
    onHost(origin, inputs, length, compute) {
      const arrays = inputs as readonly WebgpuArray[]
      // What reads nothing is written before the commands that wait now are submitted, so none of them may use its buffer.
      const output = allocate(Math.max(1, length), origin, true)
      const values = Promise.all(arrays.map(array => enqueueRead(array, array.length)))
      const run = values
        .then(all => write(output, compute(all)))
        .catch((error: Error) => {
          output.failure = error
        })
      add({ kind: 'host', run: () => run })
      return output
    },
    free: array => {
      const { buffer, source } = array as WebgpuArray
      source.put(buffer)
    },
    capture: (inputs, body) => {
      const setRecording = (now: Recording | undefined): void => {
        if (now && recording) throw new Error('capture: it is within the step of another capture; capture the outer step only')
        recording = now
      }
      return captureArrays({ device, memory, bindGroups, queue, setRecording, allocate }, inputs, body)
    },
  }
}
