import { attention, attentionGrad } from './attention.ts'
import { batchNorm, batchNormGrad, batchNormInputGrad } from './batchNorm.ts'
import { conv2d, conv2dInputGrad, conv2dWeightGrad } from './conv2d.ts'
import type { GpuKernel } from './device.ts'
import { groupNorm, groupNormGrad, groupNormInputGrad } from './groupNorm.ts'
import { matmul } from './matmul.ts'
import { broadcastTo, concat, elementwise, pad, permute, slice } from './movement.ts'
import { max, sum } from './reduce.ts'
import { softmax, softmaxInputGrad } from './softmax.ts'

// biome-ignore lint/suspicious/noExplicitAny: each kernel knows the attributes of its op.
type AnyKernel = GpuKernel<any>

/** The kernels of the gpu backend by the name of the op they compute. */
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
