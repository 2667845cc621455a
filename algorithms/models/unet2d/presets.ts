import type { Unet2dConfig } from './config.ts'

/** What the converted checkpoints of Ho et al. 2020 share, where it differs from diffusers' defaults. */
const ORIGINAL = {
  attention_head_dim: null,
  downsample_padding: 0,
  flip_sin_to_cos: false,
  freq_shift: 1,
  norm_eps: 1e-6,
} as const satisfies Partial<Unet2dConfig>

/** Six levels that attend at a sixteenth of the side. */
const SIX_LEVELS = {
  block_out_channels: [128, 128, 256, 256, 512, 512],
  down_block_types: ['DownBlock2D', 'DownBlock2D', 'DownBlock2D', 'DownBlock2D', 'AttnDownBlock2D', 'DownBlock2D'],
  up_block_types: ['UpBlock2D', 'AttnUpBlock2D', 'UpBlock2D', 'UpBlock2D', 'UpBlock2D', 'UpBlock2D'],
} as const satisfies Partial<Unet2dConfig>

/**
 * Configurations of published UNets, to be given to `createUnet2d`; x: [batch, 3, side, side].
 *
 * | preset | side | parameters | attends at | network of |
 * | --- | --- | --- | --- | --- |
 * | google/ddpm-cifar10-32 | 32 | 35,746,307 | 16 | that checkpoint, the purifier for CIFAR-10 and CIFAR-100 |
 * | google/ddpm-celebahq-256 | 256 | 113,673,219 | 16 | that checkpoint, and those of bedroom, cat and church, ema or not |
 * | diffusers/unconditional | a multiple of 32 | 113,673,219 | side / 16 | diffusers' unconditional training example |
 *
 * Deviations: the paper trains its Tiny-ImageNet and ImageNet-1k purifiers from scratch and publishes neither configuration
 * nor weights. `diffusers/unconditional` (side 64 or 256) and `google/ddpm-celebahq-256` stand for them: what diffusers
 * trains and ships at those sizes. A folder with weights brings its own config.json, which decides.
 */
export const UNET2D_PRESETS = {
  'google/ddpm-cifar10-32': {
    ...ORIGINAL,
    block_out_channels: [128, 256, 256, 256],
    down_block_types: ['DownBlock2D', 'AttnDownBlock2D', 'DownBlock2D', 'DownBlock2D'],
    up_block_types: ['UpBlock2D', 'UpBlock2D', 'AttnUpBlock2D', 'UpBlock2D'],
  },
  'google/ddpm-celebahq-256': { ...ORIGINAL, ...SIX_LEVELS },
  'diffusers/unconditional': SIX_LEVELS,
} as const satisfies Readonly<Record<string, Partial<Unet2dConfig>>>
