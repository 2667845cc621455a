import { conv2d, conv2dInputGrad, conv2dWeightGrad } from './conv2d.ts'
import { matmul } from './matmul.ts'
import type { WgslKernel } from './wgslKernel.ts'

// biome-ignore lint/suspicious/noExplicitAny: each kernel knows the attributes of its op.
type AnyKernel = WgslKernel<any>

/** The ops with hand-written WGSL, by name. All others, and all modes without WGSL, use gpu.js kernels. */
export const wgslKernels: ReadonlyMap<string, AnyKernel> = new Map<string, AnyKernel>(
  Object.entries({ conv2d, conv2dInputGrad, conv2dWeightGrad, matmul }),
)
