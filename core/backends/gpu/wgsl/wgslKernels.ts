import { conv2d, conv2dInputGrad, conv2dWeightGrad } from './conv2d.ts'
import { flashAttentions } from './flashAttention.ts'
import { matmul } from './matmul.ts'
import { concat, pad } from './movement.ts'
import { normalisations } from './normalise.ts'
import { softmax, softmaxInputGrad } from './softmax.ts'
import type { WgslKernel } from './wgslKernel.ts'

// biome-ignore lint/suspicious/noExplicitAny: each kernel knows the attributes of its op.
type AnyKernel = WgslKernel<any>

/** The ops with hand-written WGSL, by name. Others are maps and reductions, which are WGSL too (see map.ts, reduce.ts). Modes without WGSL use gpu.js kernels. */
export const wgslKernels: ReadonlyMap<string, AnyKernel> = new Map<string, AnyKernel>(
  Object.entries({
    ...flashAttentions,
    concat,
    conv2d,
    conv2dInputGrad,
    conv2dWeightGrad,
    matmul,
    pad,
    softmax,
    softmaxInputGrad,
    ...normalisations,
  }),
)
