import { completeConfig, configError } from '../completeConfig.ts'
/** Configuration of a UNet2D, named as in diffusers' `config.json`, with its defaults (diffusers 0.21 `UNet2DModel`). */
export interface Unet2dConfig {
  readonly in_channels: number
  readonly out_channels: number
  readonly block_out_channels: readonly number[]
  readonly down_block_types: readonly ('DownBlock2D' | 'AttnDownBlock2D')[]
  readonly up_block_types: readonly ('UpBlock2D' | 'AttnUpBlock2D')[]
  readonly layers_per_block: number
  /** Whether inputs in [0, 1] are brought to [-1, 1] first. */
  readonly center_input_sample: boolean
  readonly time_embedding_type: 'positional' | 'fourier'
  readonly freq_shift: number
  readonly flip_sin_to_cos: boolean
  readonly mid_block_scale_factor: number
  /** 1: one zero on every side of a downsampled image; 0: one at the bottom and right only. */
  readonly downsample_padding: number
  /** Channels per attention head; null: a single head. */
  readonly attention_head_dim: number | null
  readonly norm_num_groups: number
  readonly norm_eps: number
  readonly dropout: number
  /** Whether the middle block attends. */
  readonly add_attention: boolean
  /** Number of classes of a class-conditional model; null: unconditional. */
  readonly num_class_embeds: number | null
}

const DEFAULTS: Unet2dConfig = {
  in_channels: 3,
  out_channels: 3,
  block_out_channels: [224, 448, 672, 896],
  down_block_types: ['DownBlock2D', 'AttnDownBlock2D', 'AttnDownBlock2D', 'AttnDownBlock2D'],
  up_block_types: ['AttnUpBlock2D', 'AttnUpBlock2D', 'AttnUpBlock2D', 'UpBlock2D'],
  layers_per_block: 2,
  center_input_sample: false,
  time_embedding_type: 'positional',
  freq_shift: 0,
  flip_sin_to_cos: true,
  mid_block_scale_factor: 1,
  downsample_padding: 1,
  attention_head_dim: 8,
  norm_num_groups: 32,
  norm_eps: 1e-5,
  dropout: 0,
  add_attention: true,
  num_class_embeds: null,
}

/** Options of the origin of which only one value exists here; another value would silently be a different network. */
const FIXED: Readonly<Record<string, unknown>> = {
  act_fn: 'silu',
  resnet_time_scale_shift: 'default',
  class_embed_type: null,
  downsample_type: 'conv',
  upsample_type: 'conv',
}

/** Bookkeeping of a `config.json` that does not change the network. */
const IGNORED = ['_class_name', '_diffusers_version', '_name_or_path', 'sample_size']

const fail = configError('unet2d')

/**
 * The complete configuration from a part of it, as a `config.json` gives it.
 * Throws when a name is unknown, a value is not supported, or the parts contradict each other.
 */
export const unet2dConfig = (given: Readonly<Record<string, unknown>>): Unet2dConfig => {
  const config = completeConfig({ network: 'unet2d', defaults: DEFAULTS, fixed: FIXED, ignored: IGNORED }, given)
  check(config)
  return config
}

const check = (c: Unet2dConfig): void => {
  const levels = c.block_out_channels.length
  if (levels === 0 || c.down_block_types.length !== levels || c.up_block_types.length !== levels) {
    fail(
      `${levels} block_out_channels, ${c.down_block_types.length} down_block_types and ${c.up_block_types.length} up_block_types`,
      'give one of each per level',
    )
  }
  for (const type of [...c.down_block_types, ...c.up_block_types]) {
    if (!/^(Attn)?(Down|Up)Block2D$/.test(type))
      fail(`block type "${type}" is not supported`, 'use DownBlock2D, AttnDownBlock2D, UpBlock2D, AttnUpBlock2D')
  }
  if (!['positional', 'fourier'].includes(c.time_embedding_type)) {
    fail(`time_embedding_type is "${c.time_embedding_type}"`, 'use positional or fourier')
  }
  if (c.downsample_padding !== 0 && c.downsample_padding !== 1) fail(`downsample_padding is ${c.downsample_padding}`, 'use 0 or 1')
  for (const channels of c.block_out_channels) {
    if (channels % c.norm_num_groups !== 0) {
      fail(`norm_num_groups ${c.norm_num_groups} does not divide ${channels} channels`, 'choose a common divisor of block_out_channels')
    }
  }
}
