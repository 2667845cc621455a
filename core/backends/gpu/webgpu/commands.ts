import type { DeviceArray, Origin } from '../device.ts'
import type { BufferSource } from './arena.ts'
import type { Built } from './pipelines.ts'
import type { Recorded } from './recorded.ts'

/** An array in the device's memory. */
export interface WebgpuArray extends DeviceArray {
  readonly buffer: GPUBuffer
  /** Where the buffer goes back to. */
  readonly source: BufferSource
  /** Why it has no values: its own op failed, or one that it was computed from. */
  failure?: Error | undefined
}

export interface Dispatch {
  readonly kind: 'dispatch'
  readonly origin: Origin
  readonly built: Built
  readonly workgroups: readonly [x: number, y: number, z: number]
  readonly inputs: readonly WebgpuArray[]
  readonly outputs: readonly WebgpuArray[]
  /** What the uniform struct holds: integers, then floats. */
  readonly sizes: readonly number[]
  readonly params: readonly number[]
}

export interface ReadBack {
  readonly kind: 'read'
  readonly array: WebgpuArray
  readonly size: number
  readonly resolve: (values: Float32Array) => void
  readonly reject: (error: Error) => void
}

/** A step that only the host can do: everything before it is submitted first. It must not reject. */
export interface HostStep {
  readonly kind: 'host'
  readonly run: () => Promise<void>
}

/** Copies of whole arrays, which are of the same length. */
export interface Copies {
  readonly kind: 'copies'
  readonly copies: readonly { readonly from: WebgpuArray; readonly to: WebgpuArray }[]
}

/** A captured step: from its copies of the inputs to its results. */
export interface Replay {
  readonly kind: 'replay'
  readonly recorded: Recorded
  readonly inputs: readonly WebgpuArray[]
  readonly results: readonly WebgpuArray[]
}

export type Command = Dispatch | ReadBack | HostStep | Copies | Replay

/** An error of an op that has long returned, with the lines that asked for it as its stack. */
export const lateError = ({ description, created }: Origin, reason: string): Error => {
  const error = new Error(`${description}: ${reason.split('\n')[0]}; use --backend cpu, and report this line`)
  error.stack = `${error.message}\n${created.stack?.split('\n').slice(1).join('\n')}`
  return error
}
