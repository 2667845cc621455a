import { attention, attentionGrad } from './attention.ts'
import { conv2d, conv2dInputGrad, conv2dWeightGrad } from './conv2d.ts'
import type { CpuKernel } from './kernel.ts'
import { matmul } from './matmul.ts'
import { batchNorm, batchNormGrad, batchNormInputGrad } from './wasm/batchNorm.ts'
import { elementwise } from './wasm/elementwise.ts'
import { groupNorm, groupNormGrad, groupNormInputGrad } from './wasm/groupNorm.ts'
import { broadcastTo, concat, pad, permute, slice } from './wasm/movement.ts'
import { max, sum } from './wasm/reduce.ts'
import { softmax, softmaxInputGrad } from './wasm/softmax.ts'

// biome-ignore lint/suspicious/noExplicitAny: each kernel knows the attributes of its op.
type AnyKernel = CpuKernel<any>

/** The kernels of the cpu backend by the name of the op they compute. */
export const kernels: ReadonlyMap<string, AnyKernel> = new Map<string, AnyKernel>(
  Object.entries({
    attention,
    attentionGrad,
    batchNorm,
    batchNormGrad,
    batchNormInputGrad,
    broadcastTo,
    concat,
    conv2d,
    conv2dInputGrad,
    conv2dWeightGrad,
    elementwise,
    groupNorm,
    groupNormGrad,
    groupNormInputGrad,
    matmul,
    max,
    pad,
    permute,
    slice,
    softmax,
    softmaxInputGrad,
    sum,
  }),
)
