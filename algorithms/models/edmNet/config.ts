import { completeConfig, configError } from '../completeConfig.ts'

/** Configuration of an EDM network, named as in the origin's `network_kwargs`, with the origin's defaults of its model_type. */
export interface EdmNetConfig {
  /** SongUNet: DDPM++ and NCSN++ of Song et al. 2021; DhariwalUNet: ADM of Dhariwal and Nichol 2021. */
  readonly model_type: 'SongUNet' | 'DhariwalUNet'
  /** How the network is scaled around its input and output; see preconditioning.ts. */
  readonly precond: 'vp' | 've' | 'edm'
  readonly img_resolution: number
  readonly img_channels: number
  /** Number of classes; 0: unconditional. */
  readonly label_dim: number
  /** Length of the augmentation labels; 0: none. */
  readonly augment_dim: number
  /** Channels of the first level. */
  readonly model_channels: number
  /** Channels of each level, in multiples of model_channels. */
  readonly channel_mult: readonly number[]
  /** Channels of the noise embedding after its linear maps, in multiples of model_channels. */
  readonly channel_mult_emb: number
  readonly num_blocks: number
  /** Sides of the feature maps that attend. */
  readonly attn_resolutions: readonly number[]
  readonly dropout: number
  /** DhariwalUNet: channels of an attention head, of which as many as fit must divide the channels; SongUNet has one. */
  readonly channels_per_head: number
  /** From here to resample_filter: SongUNet only. */
  readonly embedding_type: 'positional' | 'fourier'
  /** Channels of the noise embedding before its linear maps: 1 for DDPM++, 2 for NCSN++. */
  readonly channel_mult_noise: number
  /** How shrunken copies of the input enter the levels: standard for DDPM++, residual for NCSN++. */
  readonly encoder_type: 'standard' | 'skip' | 'residual'
  /** Whether the output grows over the levels (`skip`). */
  readonly decoder_type: 'standard' | 'skip'
  /** Filter taps of resampling: [1,1] for DDPM++, [1,3,3,1] for NCSN++. */
  readonly resample_filter: readonly number[]
  /** Deviation of the images that `edm` preconditioning expects. */
  readonly sigma_data: number
  /** The VP SDE of `vp` preconditioning: beta(t) = beta_min + beta_d t, labels up to M - 1. */
  readonly beta_d: number
  readonly beta_min: number
  readonly M: number
}

const SONG_UNET: EdmNetConfig = {
  model_type: 'SongUNet',
  precond: 'edm',
  img_resolution: 32,
  img_channels: 3,
  label_dim: 0,
  augment_dim: 0,
  model_channels: 128,
  channel_mult: [1, 2, 2, 2],
  channel_mult_emb: 4,
  num_blocks: 4,
  attn_resolutions: [16],
  dropout: 0.1,
  channels_per_head: 64,
  embedding_type: 'positional',
  channel_mult_noise: 1,
  encoder_type: 'standard',
  decoder_type: 'standard',
  resample_filter: [1, 1],
  sigma_data: 0.5,
  beta_d: 19.9,
  beta_min: 0.1,
  M: 1000,
}

const DHARIWAL_UNET: EdmNetConfig = {
  ...SONG_UNET,
  model_type: 'DhariwalUNet',
  model_channels: 192,
  channel_mult: [1, 2, 3, 4],
  num_blocks: 3,
  attn_resolutions: [32, 16, 8],
}

/** Networks of the origin without their preconditioning, whose published checkpoints come with `edm`. */
export const edmArchitectures = {
  /** ADM for ImageNet at 64x64, class-conditional. */
  adm: { model_type: 'DhariwalUNet', img_resolution: 64, label_dim: 1000 },
  /** DDPM++ for CIFAR-10. */
  vp: { channel_mult: [2, 2, 2], augment_dim: 9 },
  /** NCSN++ for CIFAR-10. */
  ve: {
    channel_mult: [2, 2, 2],
    augment_dim: 9,
    embedding_type: 'fourier',
    channel_mult_noise: 2,
    encoder_type: 'residual',
    resample_filter: [1, 3, 3, 1],
  },
} as const satisfies Readonly<Record<string, Partial<EdmNetConfig>>>

const CHOICES: Readonly<Record<string, readonly unknown[]>> = {
  model_type: ['SongUNet', 'DhariwalUNet'],
  precond: ['vp', 've', 'edm'],
  embedding_type: ['positional', 'fourier'],
  encoder_type: ['standard', 'skip', 'residual'],
  decoder_type: ['standard', 'skip'],
}

/** Options that DhariwalUNet does not have. */
const SONG_ONLY = ['embedding_type', 'channel_mult_noise', 'encoder_type', 'decoder_type', 'resample_filter']

/** Options that do not change the network in float32 outside training. */
const IGNORED = ['use_fp16', 'label_dropout', 'sigma_min', 'sigma_max', 'epsilon_t', 'class_name']

const REALS = ['channel_mult', 'dropout', 'resample_filter', 'sigma_data', 'beta_d', 'beta_min']

const fail = configError('edmNet')

/**
 * The complete configuration from a part of it.
 * Throws when a name is unknown, a value is not supported, or the parts contradict each other.
 */
export const edmNetConfig = (given: Readonly<Record<string, unknown>>): EdmNetConfig => {
  const dhariwal = given.model_type === 'DhariwalUNet'
  const stranger = SONG_ONLY.find(name => dhariwal && Object.hasOwn(given, name))
  if (stranger) fail(`DhariwalUNet has no option "${stranger}"`, 'leave it out, or set model_type to SongUNet')
  const defaults = dhariwal ? DHARIWAL_UNET : SONG_UNET
  const config = completeConfig({ network: 'edmNet', defaults, fixed: {}, ignored: IGNORED, choices: CHOICES, reals: REALS }, given)
  check(config)
  return config
}

const check = (c: EdmNetConfig): void => {
  if (c.channel_mult.length === 0) fail('channel_mult is empty', 'give one multiple of model_channels per level')
  const divisor = 2 ** (c.channel_mult.length - 1)
  if (c.img_resolution % divisor !== 0) {
    fail(`img_resolution ${c.img_resolution} cannot be halved ${c.channel_mult.length - 1} times`, `choose a multiple of ${divisor}`)
  }
  const taps = c.resample_filter
  if (taps.length === 0 || taps.length % 2 !== 0 || taps.some((tap, i) => tap !== taps[taps.length - 1 - i])) {
    fail(`resample_filter [${taps}] is not symmetric of even length`, 'use [1,1] or [1,3,3,1]')
  }
  if (c.model_channels % 4 !== 0) fail(`model_channels ${c.model_channels} is no multiple of 4`, 'group norm takes groups of four or more')
}
