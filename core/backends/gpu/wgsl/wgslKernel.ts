import type { Shape } from '../../../shape.ts'
import type { Device, DeviceArray, GpuArray } from '../device.ts'

/** A device that runs WGSL. */
export type WgslDevice = Device & Required<Pick<Device, 'dispatch'>>

export const hasWgsl = (device: Device): device is WgslDevice => device.dispatch !== undefined

/** As a `GpuKernel`, in hand-written WGSL. Where it gives undefined, the op's gpu.js kernel computes. */
export type WgslKernel<Attributes = never> = (
  device: WgslDevice,
  inputs: readonly GpuArray[],
  output: Shape,
  attributes: Attributes,
) => DeviceArray | undefined
