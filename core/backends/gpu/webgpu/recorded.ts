import type { BindGroups } from './bindGroups.ts'
import type { Dispatch } from './commands.ts'
import { paramsBytes } from './pipelines.ts'

const uniform = 0x40
const copyTarget = 0x08

/** One dispatch with everything looked up. */
interface Step {
  readonly pipeline: GPUComputePipeline
  readonly group: GPUBindGroup
  readonly offsets: readonly number[]
  readonly workgroups: Dispatch['workgroups']
}

/** A list of dispatches on fixed buffers, ready to be encoded again and again. */
export interface Recorded {
  readonly steps: readonly Step[]
  destroy(): void
}

/** Looks everything up once: pipelines, which must be built, bind groups, and the uniform windows, in a buffer of their own. */
export const record = (device: GPUDevice, bindGroups: BindGroups, dispatches: readonly Dispatch[]): Recorded => {
  const params = device.createBuffer({ size: Math.max(1, dispatches.length) * paramsBytes, usage: uniform | copyTarget })
  const floats = new Float32Array(params.size / 4)
  const integers = new Uint32Array(floats.buffer)
  const steps = dispatches.map(({ built, workgroups, inputs, outputs, sizes, params: scalars }, i): Step => {
    const at = (i * paramsBytes) / 4
    integers.set(sizes, at)
    floats.set(scalars, at + sizes.length)
    const group = bindGroups.get(
      built,
      [...inputs, ...outputs].map(array => array.buffer),
      params,
    )
    return { pipeline: built.pipeline!, group, offsets: built.hasParams ? [i * paramsBytes] : [], workgroups }
  })
  device.queue.writeBuffer(params, 0, floats)
  return { steps, destroy: () => params.destroy() }
}

/** Encodes the list into a pass. */
export const encodeRecorded = (pass: GPUComputePassEncoder, { steps }: Recorded): void => {
  let current: GPUComputePipeline | undefined
  for (const { pipeline, group, offsets, workgroups } of steps) {
    if (pipeline !== current) {
      pass.setPipeline(pipeline)
      current = pipeline
    }
    pass.setBindGroup(0, group, offsets)
    pass.dispatchWorkgroups(workgroups[0], workgroups[1], workgroups[2])
  }
}
