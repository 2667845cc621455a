import type { Shape } from '../../shape.ts'

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

/** Runs programs. Calls return at once, with values that may only come to exist later. */
export interface Device {
  launch(program: Program, inputs: readonly DeviceArray[], params?: readonly number[]): DeviceArray
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
