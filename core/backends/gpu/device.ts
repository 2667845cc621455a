import type { Shape } from '../../shape.ts'
import type { HostValues } from '../backend.ts'
import type { Abilities } from './wgsl/abilities.ts'

/** Float32 values on a device. Only the device that made them looks inside. */
export interface DeviceArray {
  readonly length: number
}

/** A contiguous row-major operand of a kernel. */
export interface GpuArray {
  readonly values: DeviceArray
  readonly shape: Shape
}

/**
 * The source of one gpu.js kernel, complete with every size as an integer literal: what gpu.js compiles once. Array
 * arguments are called `x0, x1, ...`, scalar ones `p0, p1, ...`; the text is the function's body.
 */
export interface Program {
  readonly body: string
  readonly functions: readonly string[]
  /** Threads along x, y and z, at most three; x runs fastest in the result. */
  readonly grid: readonly number[]
}

/**
 * A complete WGSL module with an entry point `main`. In group 0 bindings 0, 1, ... are the inputs (`var<storage, read>`, arrays
 * of f32 or vec4<f32>), the next ones are the results (`read_write`) and the one after that a uniform struct of the sizes (u32)
 * and then the scalar parameters (f32), if there are any. Give the same string for the same module: it is its key.
 */
export interface Shader {
  readonly code: string
  /** Workgroups along x, y and z. */
  readonly workgroups: readonly [x: number, y: number, z: number]
  /** Elements of the result, or of each. */
  readonly length: number
}

/** Numbers of the uniform struct, at most `mostArguments`, and where the result goes. */
export interface DispatchArguments {
  readonly sizes?: readonly number[]
  readonly params?: readonly number[]
  /** An array of an earlier dispatch whose elements, or some of them, are written. Default: a new one. */
  readonly into?: DeviceArray
}

/** Runs programs. Calls return at once, with values that may only come to exist later. */
export interface Device {
  launch(program: Program, inputs: readonly DeviceArray[], params?: readonly number[]): DeviceArray
  /** Runs WGSL; absent where there is none. */
  readonly dispatch?: (shader: Shader, inputs: readonly DeviceArray[], given?: DispatchArguments) => DeviceArray
  /** The same of a shader with so many results, into new arrays. */
  readonly dispatchAll?: (
    shader: Shader,
    inputs: readonly DeviceArray[],
    given: Omit<DispatchArguments, 'into'> & { readonly results: number },
  ) => readonly DeviceArray[]
  /** What WGSL may use here. */
  readonly wgsl?: Abilities
}

/** Which op asked for an array, for errors that come when it has long returned. */
export interface Origin {
  /** `matmul [2,3], [3,4] -> [2,4]` */
  readonly description: string
  /** Made where the op was called: its stack tells the line. */
  readonly created: Error
}

/** A step that was run once and can be run again without its program. */
export interface CapturedArrays {
  /** Memory that it keeps. */
  readonly bytes: number
  /** Kernels that a run executes. */
  readonly dispatches: number
  run(inputs: readonly DeviceArray[]): readonly DeviceArray[]
  destroy(): void
}

/** A device with its memory: what the backend asks for beyond launches. */
export interface GpuDevice {
  /** The device as the kernels of one op see it. */
  launcher(origin: Origin): Device
  upload(values: Float32Array): DeviceArray
  /** Rejects with the error of the op that should have made the values. */
  read(array: DeviceArray, size: number): Promise<Float32Array>
  /** An array that the host computes from others, as soon as they are there. */
  onHost(
    origin: Origin,
    inputs: readonly DeviceArray[],
    length: number,
    compute: (inputs: readonly HostValues[]) => Float32Array,
  ): DeviceArray
  /** The array is used no more; what was asked for before still sees it. */
  free(array: DeviceArray): void
  /** Absent where steps cannot be replayed. `body` must run kernels only, on its inputs and on what it makes itself. */
  capture?(inputs: readonly DeviceArray[], body: (inputs: readonly DeviceArray[]) => readonly DeviceArray[]): Promise<CapturedArrays>
}

/**
 * Computes one op by launching programs, into an array of its own. Undefined when it does not cover these shapes or
 * attributes; the backend then runs the op's definition. No array is empty.
 */
export type GpuKernel<Attributes = never> = (
  device: Device,
  inputs: readonly GpuArray[],
  output: Shape,
  attributes: Attributes,
) => DeviceArray | undefined
