import { createUnet2d } from '../../algorithms/models/unet2d.ts'
import { createWideResNet } from '../../algorithms/models/wideResNet.ts'

const unetConfig = {
  in_channels: 1,
  out_channels: 1,
  sample_size: 8,
  block_out_channels: [16, 24],
  layers_per_block: 1,
  norm_num_groups: 8,
  norm_eps: 1e-6,
  downsample_padding: 1,
  attention_head_dim: null,
  down_block_types: ['DownBlock2D', 'DownBlock2D'],
  up_block_types: ['UpBlock2D', 'UpBlock2D'],
} as const

/** The diffusion model of the digits: two levels of 16 and 24 channels, self-attention in the middle. */
export const digitsUnet = createUnet2d(unetConfig)

/** The same network and parameters with dropout, for what the published scripts leave in training mode (audit findings H1, M4). */
export const droppingDigitsUnet = createUnet2d({ ...unetConfig, dropout: 0.1 })

/** The classifier of the digits: WRN-10-1. */
export const digitsClassifier = createWideResNet({ implementation: 'wrn', depth: 10, widenFactor: 1, inChannels: 1, classes: 10 })
