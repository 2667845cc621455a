import { type Unet2dConfig, unet2dConfig } from '../../algorithms/models/unet2d/config.ts'
import { UNET2D_PRESETS } from '../../algorithms/models/unet2d.ts'
import { paperTimesteps, type ReverseInterval } from '../../algorithms/purification/timesteps.ts'

/** What of a convolution is timed; `both` is the forward pass and both gradients. */
export type ConvPass = 'forward' | 'inputGradient' | 'weightGradient' | 'both'

/**
 * One piece of work, in words that every contestant understands; it travels to them as JSON. Images are
 * [batch, channels, side, side], convolutions padded by half their kernel. Gradients are products with a given output
 * gradient, to all inputs and parameters unless said otherwise.
 */
export type Case =
  /** a b, both [size, size]. */
  | { readonly kind: 'matmul'; readonly size: number }
  | {
      readonly kind: 'conv2d'
      readonly pass: ConvPass
      readonly batch: number
      readonly channels: number
      readonly side: number
      readonly kernel: 1 | 3
      readonly stride: 1 | 2
    }
  | { readonly kind: 'groupNormSilu'; readonly shape: ImageShape; readonly groups: number }
  /** With the batch's statistics (`train`), or the running ones. */
  | { readonly kind: 'batchNormRelu'; readonly shape: ImageShape; readonly train: boolean }
  /** Softmax attention; queries, keys and values [heads, perHead, positions]. */
  | { readonly kind: 'attention'; readonly heads: number; readonly positions: number; readonly perHead: number }
  /** relu(z sigmoid(z) - x) with z = 1.5 x + y, forward only. */
  | { readonly kind: 'chain'; readonly shape: ImageShape }
  /** x + y + y + ... with `count` additions, and its gradient to x. */
  | { readonly kind: 'adds'; readonly count: number; readonly size: number }
  | Purification
  /** A UNet2D at t = 500, and with `both` its gradient to all parameters. */
  | { readonly kind: 'unet'; readonly pass: 'forward' | 'both'; readonly batch: number; readonly config: Unet2dConfig }

/**
 * The gradient to the pixels of the mean cross-entropy of a WRN (TRADES) after purification by DDPM with a UNet2D; every step is
 * computed again in the backward pass. Image i has label i.
 */
export interface Purification {
  readonly kind: 'purification'
  readonly batch: number
  readonly config: Unet2dConfig
  readonly intervals: readonly ReverseInterval[]
  readonly depth: number
  readonly widenFactor: number
}

export type ImageShape = readonly [batch: number, channels: number, height: number, width: number]

/** The small four-level UNet of the golden vectors `unet2d_cifar4`. */
const CIFAR4 = unet2dConfig({
  ...UNET2D_PRESETS['google/ddpm-cifar10-32'],
  block_out_channels: [16, 32, 32, 32],
  norm_num_groups: 8,
  up_block_types: ['UpBlock2D', 'UpBlock2D', 'AttnUpBlock2D', 'UpBlock2D'],
})

/** The cases of the whole algorithm and of its largest network. */
export const purificationCase: Purification = {
  kind: 'purification',
  batch: 8,
  config: CIFAR4,
  intervals: paperTimesteps({ tStar: 0.1, steps: 5 }),
  depth: 16,
  widenFactor: 2,
}

export const cifarUnetCase = (pass: 'forward' | 'both'): Case => ({
  kind: 'unet',
  pass,
  batch: 1,
  config: unet2dConfig(UNET2D_PRESETS['google/ddpm-cifar10-32']),
})

/** Side of what a convolution gives. */
export const outputSide = ({ side, stride }: { readonly side: number; readonly stride: number }): number => Math.ceil(side / stride)

/** Floating-point operations, a multiplication and an addition counting as two; undefined where a rate would say little. */
export const flopsOf = (work: Case): number | undefined => {
  if (work.kind === 'matmul') return 2 * work.size ** 3
  if (work.kind !== 'conv2d') return undefined
  const passes = work.pass === 'both' ? 3 : 1
  return passes * 2 * work.batch * outputSide(work) ** 2 * (work.channels * work.kernel) ** 2
}
