import type { BindGroups } from './bindGroups.ts'
import type { Command, Dispatch, ReadBack } from './commands.ts'
import { carryFailures } from './failures.ts'
import { paramsBytes } from './pipelines.ts'
import { encodeRecorded } from './recorded.ts'

const mapRead = 0x01
const copyTarget = 0x08
const uniform = 0x40

/** A copy for the host that is under way. */
export interface Pending {
  readonly read: ReadBack
  readonly staging: GPUBuffer
}

export interface Encoder {
  /** One command buffer of dispatches and reads whose pipelines are settled, and the copies it makes for the host. */
  encode(batch: readonly Command[]): { readonly buffer: GPUCommandBuffer; readonly reads: readonly Pending[] }
  /** The first dispatch that WebGPU refuses on its own, and why. */
  findRefused(batch: readonly Command[]): Promise<{ readonly dispatch: Dispatch; readonly reason: string } | undefined>
}

const isDispatch = (command: Command): command is Dispatch => command.kind === 'dispatch'

export const createEncoder = (device: GPUDevice, bindGroups: BindGroups): Encoder => {
  let params = device.createBuffer({ size: 2 ** 15, usage: uniform | copyTarget })

  /** Puts sizes and parameters of a batch into the uniform buffer; gives where each dispatch's begin. */
  const writeParams = (batch: readonly Command[]): Map<Command, number> => {
    const offsets = new Map<Command, number>()
    for (const command of batch) {
      if (isDispatch(command) && command.built.hasParams) offsets.set(command, offsets.size * paramsBytes)
    }
    const size = offsets.size * paramsBytes
    if (size > params.size) {
      params.destroy()
      params = device.createBuffer({ size: 2 * size, usage: uniform | copyTarget })
      bindGroups.clear()
    }
    const floats = new Float32Array(size / 4)
    const integers = new Uint32Array(floats.buffer)
    for (const [command, offset] of offsets) {
      const { sizes, params: scalars } = command as Dispatch
      integers.set(sizes, offset / 4)
      floats.set(scalars, offset / 4 + sizes.length)
    }
    if (size > 0) device.queue.writeBuffer(params, 0, floats)
    return offsets
  }

  const add = (pass: GPUComputePassEncoder, { built, inputs, outputs, workgroups }: Dispatch, offset: number | undefined): void => {
    const buffers = inputs.map(input => input.buffer)
    for (const output of outputs) buffers.push(output.buffer)
    pass.setPipeline(built.pipeline!)
    pass.setBindGroup(0, bindGroups.get(built, buffers, params), built.hasParams ? [offset!] : [])
    pass.dispatchWorkgroups(...workgroups)
  }

  /** What is thrown for arguments that WebGPU does not even take. */
  const encodeAlone = (dispatch: Dispatch): Error | undefined => {
    try {
      const encoder = device.createCommandEncoder()
      const pass = encoder.beginComputePass()
      add(pass, dispatch, 0)
      pass.end()
      encoder.finish()
    } catch (error) {
      return error as Error
    }
    return undefined
  }

  return {
    encode(batch) {
      const offsets = writeParams(batch)
      const encoder = device.createCommandEncoder()
      const reads: Pending[] = []
      let pass: GPUComputePassEncoder | undefined
      const leavePass = (): void => {
        pass?.end()
        pass = undefined
      }
      for (const command of batch) {
        if (!carryFailures(command)) continue
        switch (command.kind) {
          case 'dispatch':
            pass ??= encoder.beginComputePass()
            add(pass, command, offsets.get(command))
            break
          case 'replay':
            pass ??= encoder.beginComputePass()
            encodeRecorded(pass, command.recorded)
            break
          case 'copies':
            leavePass()
            for (const { from, to } of command.copies) {
              encoder.copyBufferToBuffer(from.buffer, 0, to.buffer, 0, 4 * from.length)
            }
            break
          case 'read': {
            leavePass()
            const staging = device.createBuffer({ size: 4 * command.size, usage: mapRead | copyTarget })
            encoder.copyBufferToBuffer(command.array.buffer, 0, staging, 0, 4 * command.size)
            reads.push({ read: command, staging })
          }
        }
      }
      pass?.end()
      return { buffer: encoder.finish(), reads }
    },
    async findRefused(batch) {
      for (const dispatch of batch.filter(isDispatch)) {
        if (!dispatch.built.pipeline) continue
        device.pushErrorScope('validation')
        const thrown = encodeAlone(dispatch)
        const refused = await device.popErrorScope()
        const error = thrown ?? refused
        if (error) return { dispatch, reason: error.message }
      }
      return undefined
    },
  }
}
