import { completeConfig, configError } from '../completeConfig.ts'

/** Configuration of a guided-diffusion UNet, named as the arguments of the origin's `UNetModel`, with its defaults. */
export interface GuidedUnetConfig {
  readonly in_channels: number
  /** Channels of the first level, in multiples of which channel_mult counts. */
  readonly model_channels: number
  /** Twice in_channels for models that also predict the variance, whose second half it then is. */
  readonly out_channels: number
  readonly num_res_blocks: number
  /** Where the network attends, as factors by which the image has been shrunk: [8, 16, 32]. */
  readonly attention_resolutions: readonly number[]
  readonly dropout: number
  readonly channel_mult: readonly number[]
  /** Whether resampling between residual blocks has a convolution. */
  readonly conv_resample: boolean
  /** Number of classes of a class-conditional model; null: unconditional. */
  readonly num_classes: number | null
  readonly num_heads: number
  /** Channels of an attention head; -1: num_heads decides. */
  readonly num_head_channels: number
  /** Heads on the way up; -1: as num_heads. */
  readonly num_heads_upsample: number
  /** Whether the time scales and shifts the normalised feature map instead of being added before. */
  readonly use_scale_shift_norm: boolean
  /** Whether resampling happens inside residual blocks. */
  readonly resblock_updown: boolean
  /** Whether the channels of query, key and value follow one another as wholes, not head by head. */
  readonly use_new_attention_order: boolean
}

const DEFAULTS: GuidedUnetConfig = {
  in_channels: 3,
  model_channels: 128,
  out_channels: 3,
  num_res_blocks: 2,
  attention_resolutions: [2, 4],
  dropout: 0,
  channel_mult: [1, 2, 4, 8],
  conv_resample: true,
  num_classes: null,
  num_heads: 1,
  num_head_channels: -1,
  num_heads_upsample: -1,
  use_scale_shift_norm: false,
  resblock_updown: false,
  use_new_attention_order: false,
}

const ADM = { out_channels: 6, num_head_channels: 64, use_scale_shift_norm: true, resblock_updown: true } as const

/**
 * The published ADM networks for ImageNet; x: [batch, 3, side, side].
 *
 * | preset | side | parameters | published as |
 * | --- | --- | --- | --- |
 * | imagenet64 | 64 | 295,904,454 | 64x64_diffusion.pt, class-conditional |
 * | imagenet256 | 256 | 553,838,086 | 256x256_diffusion.pt, class-conditional |
 * | imagenet256Unconditional | 256 | 552,814,086 | 256x256_diffusion_uncond.pt, the purifier of DiffPure for ImageNet |
 */
export const GUIDED_UNET_PRESETS = {
  imagenet64: {
    ...ADM,
    model_channels: 192,
    num_res_blocks: 3,
    attention_resolutions: [2, 4, 8],
    channel_mult: [1, 2, 3, 4],
    num_classes: 1000,
    use_new_attention_order: true,
  },
  imagenet256: {
    ...ADM,
    model_channels: 256,
    attention_resolutions: [8, 16, 32],
    channel_mult: [1, 1, 2, 2, 4, 4],
    num_classes: 1000,
  },
  imagenet256Unconditional: { ...ADM, model_channels: 256, attention_resolutions: [8, 16, 32], channel_mult: [1, 1, 2, 2, 4, 4] },
} as const satisfies Readonly<Record<string, Partial<GuidedUnetConfig>>>

/** Options of the origin of which only one value exists here; another value would silently be a different network. */
const FIXED: Readonly<Record<string, unknown>> = { dims: 2 }

/** Options that do not change the network in float32. */
const IGNORED = ['image_size', 'use_checkpoint', 'use_fp16']

/** Groups of every group norm. */
export const GROUPS = 32

const REALS = ['dropout', 'channel_mult']

const fail = configError('guidedUnet')

/**
 * The complete configuration from a part of it.
 * Throws when a name is unknown, a value is not supported, or the parts contradict each other.
 */
export const guidedUnetConfig = (given: Readonly<Record<string, unknown>>): GuidedUnetConfig => {
  const config = completeConfig(
    { network: 'guidedUnet', defaults: DEFAULTS, fixed: FIXED, ignored: IGNORED, reals: REALS, nullable: ['num_classes'] },
    given,
  )
  if (config.channel_mult.length === 0) fail('channel_mult is empty', 'give one multiple of model_channels per level')
  config.channel_mult.forEach((multiple, level, all) => {
    const channels = multiple * config.model_channels
    if (channels % GROUPS !== 0) fail(`a level has ${channels} channels`, `group norm needs a multiple of ${GROUPS}`)
    if (!attendsAt(config, level) && level < all.length - 1) return
    const heads = [headsOf(config, channels, 'down'), headsOf(config, channels, 'up')]
    const wrong = heads.find(count => !Number.isInteger(count) || channels % count !== 0)
    if (wrong !== undefined) fail(`${wrong} heads do not divide ${channels} channels`, 'change num_heads or num_head_channels')
  })
  return config
}

/** Attention heads of a feature map. */
export const headsOf = (config: GuidedUnetConfig, channels: number, way: 'down' | 'up'): number => {
  if (config.num_head_channels !== -1) return channels / config.num_head_channels
  return way === 'up' && config.num_heads_upsample !== -1 ? config.num_heads_upsample : config.num_heads
}

/** Whether the feature maps of a level attend. */
export const attendsAt = ({ attention_resolutions }: GuidedUnetConfig, level: number): boolean => attention_resolutions.includes(2 ** level)
