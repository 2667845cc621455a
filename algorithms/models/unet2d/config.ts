import { completeConfig, configError } from '../completeConfig.ts'

/** How a level is made: with attention after its residual blocks or not, and with what its resolution changes. */
export type DownBlockType = 'DownBlock2D' | 'AttnDownBlock2D' | 'ResnetDownsampleBlock2D'
export type UpBlockType = 'UpBlock2D' | 'AttnUpBlock2D' | 'ResnetUpsampleBlock2D'

/** Configuration of a UNet2D, named as in diffusers' `config.json`, with its defaults (diffusers 0.21 `UNet2DModel`). */
export interface Unet2dConfig {
  readonly in_channels: number
  readonly out_channels: number
  readonly block_out_channels: readonly number[]
  readonly down_block_types: readonly DownBlockType[]
  readonly up_block_types: readonly UpBlockType[]
  readonly layers_per_block: number
  /** Whether inputs in [0, 1] are brought to [-1, 1] first. */
  readonly center_input_sample: boolean
  readonly time_embedding_type: 'positional' | 'fourier'
  /** This and the next: of positional embeddings only. */
  readonly freq_shift: number
  readonly flip_sin_to_cos: boolean
  readonly mid_block_scale_factor: number
  /** What halves and doubles the resolution of levels that attend: a convolution or a residual block. */
  readonly downsample_type: 'conv' | 'resnet'
  readonly upsample_type: 'conv' | 'resnet'
  /** How residual blocks take up the time: added, or as scale and shift of the normalised feature map (ADM). */
  readonly resnet_time_scale_shift: 'default' | 'scale_shift'
  /** 1: one zero on every side of a downsampled image; 0: one at the bottom and right only. */
  readonly downsample_padding: number
  /** Channels per attention head; null: a single head. */
  readonly attention_head_dim: number | null
  readonly norm_num_groups: number
  readonly norm_eps: number
  readonly dropout: number
  /** Whether the middle block attends. */
  readonly add_attention: boolean
  /**
   * Groups of the middle attention's norm; null: norm_num_groups, and no norm under scale_shift. Since diffusers 0.22, which needs
   * it for networks converted from ADM.
   */
  readonly attn_norm_num_groups: number | null
  /**
   * What a class is made of before it joins the time: null, a row of a table of num_class_embeds; timestep, the features
   * of a number, mapped as those of the time; identity, features given by the caller.
   */
  readonly class_embed_type: 'timestep' | 'identity' | null
  /** Number of classes of a class-conditional model; null: unconditional, unless class_embed_type says otherwise. */
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
  downsample_type: 'conv',
  upsample_type: 'conv',
  resnet_time_scale_shift: 'default',
  downsample_padding: 1,
  attention_head_dim: 8,
  norm_num_groups: 32,
  norm_eps: 1e-5,
  dropout: 0,
  add_attention: true,
  attn_norm_num_groups: null,
  class_embed_type: null,
  num_class_embeds: null,
}

/** Options of the origin of which only one value exists here; another value would silently be a different network. */
const FIXED: Readonly<Record<string, unknown>> = {
  act_fn: 'silu',
}

const CHOICES: Readonly<Record<string, readonly unknown[]>> = {
  time_embedding_type: ['positional', 'fourier'],
  downsample_type: ['conv', 'resnet'],
  upsample_type: ['conv', 'resnet'],
  resnet_time_scale_shift: ['default', 'scale_shift'],
  downsample_padding: [0, 1],
  class_embed_type: [null, 'timestep', 'identity'],
}

const DOWN_BLOCKS: readonly string[] = ['DownBlock2D', 'AttnDownBlock2D', 'ResnetDownsampleBlock2D'] satisfies DownBlockType[]
const UP_BLOCKS: readonly string[] = ['UpBlock2D', 'AttnUpBlock2D', 'ResnetUpsampleBlock2D'] satisfies UpBlockType[]

/** Bookkeeping of a `config.json` that does not change the network. */
const IGNORED = ['_class_name', '_diffusers_version', '_name_or_path', 'sample_size']

const REALS = ['mid_block_scale_factor', 'norm_eps', 'dropout']
const NULLABLE = ['attention_head_dim', 'attn_norm_num_groups', 'num_class_embeds']

const fail = configError('unet2d')

/**
 * The complete configuration from a part of it, as a `config.json` gives it.
 * Throws when a name is unknown, a value is not supported, or the parts contradict each other.
 */
export const unet2dConfig = (given: Readonly<Record<string, unknown>>): Unet2dConfig => {
  const config = completeConfig(
    { network: 'unet2d', defaults: DEFAULTS, fixed: FIXED, ignored: IGNORED, choices: CHOICES, reals: REALS, nullable: NULLABLE },
    given,
  )
  check(config)
  return config
}

/** Groups of the norm before the middle attention; null: there is none. */
export const middleGroups = (c: Unet2dConfig): number | null =>
  c.attn_norm_num_groups ?? (c.resnet_time_scale_shift === 'default' ? c.norm_num_groups : null)

const checkBlocks = (types: readonly string[], known: readonly string[]): void => {
  const stranger = types.find(type => !known.includes(type))
  if (stranger !== undefined) fail(`block type "${stranger}" is not supported`, `use ${known.join(', ')}`)
}

const check = (c: Unet2dConfig): void => {
  const levels = c.block_out_channels.length
  if (levels === 0 || c.down_block_types.length !== levels || c.up_block_types.length !== levels) {
    fail(
      `${levels} block_out_channels, ${c.down_block_types.length} down_block_types and ${c.up_block_types.length} up_block_types`,
      'give one of each per level',
    )
  }
  checkBlocks(c.down_block_types, DOWN_BLOCKS)
  checkBlocks(c.up_block_types, UP_BLOCKS)
  c.block_out_channels.forEach((channels, level, all) => {
    const attends = c.down_block_types[level]!.startsWith('Attn') || c.up_block_types[all.length - 1 - level]!.startsWith('Attn')
    const inTheMiddle = c.add_attention && level === all.length - 1
    if (c.attention_head_dim !== null && (attends || inTheMiddle) && channels % c.attention_head_dim !== 0) {
      fail(`attention_head_dim ${c.attention_head_dim} does not divide ${channels} channels`, 'choose a divisor')
    }
  })
  for (const channels of c.block_out_channels) {
    if (channels % c.norm_num_groups !== 0) {
      fail(`norm_num_groups ${c.norm_num_groups} does not divide ${channels} channels`, 'choose a common divisor of block_out_channels')
    }
  }
  const groups = c.add_attention ? middleGroups(c) : null
  const middle = c.block_out_channels.at(-1)!
  if (groups !== null && middle % groups !== 0)
    fail(`attn_norm_num_groups ${groups} does not divide ${middle} channels`, 'choose a divisor')
}
