import { conv2d, conv2dInputGrad, conv2dWeightGrad } from './conv2d.ts'
import type { CpuKernel } from './kernel.ts'
import { matmul } from './matmul.ts'
import { elementwise } from './wasm/elementwise.ts'

// biome-ignore lint/suspicious/noExplicitAny: each kernel knows the attributes of its op.
type AnyKernel = CpuKernel<any>

/** The kernels of the cpu backend by the name of the op they compute. */
export const kernels: ReadonlyMap<string, AnyKernel> = new Map<string, AnyKernel>([
  ['conv2d', conv2d],
  ['conv2dInputGrad', conv2dInputGrad],
  ['conv2dWeightGrad', conv2dWeightGrad],
  ['elementwise', elementwise],
  ['matmul', matmul],
])
