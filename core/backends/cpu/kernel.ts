import type { Heap } from './heap.ts'

/** A contiguous row-major array in the heap: float32 (or int32 where an op says so). */
export interface CpuArray {
  /** Byte address in the heap, 64-byte aligned. */
  readonly pointer: number
  readonly shape: readonly number[]
  readonly dtype: 'float32' | 'int32'
}

/**
 * Computes one op into `output`, whose contents are undefined before. Returns false, leaving `output` alone, when it does
 * not cover these shapes or attributes; the caller then runs the op's definition.
 */
export type CpuKernel<Attributes = never> = (heap: Heap, inputs: readonly CpuArray[], output: CpuArray, attributes: Attributes) => boolean
