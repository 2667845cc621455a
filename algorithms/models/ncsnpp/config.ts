import { completeConfig, configError } from '../completeConfig.ts'
/** Configuration of an NCSN++, named as in the origin's config files, with the values of its CIFAR-10 DDPM++ (VP) as defaults. */
export interface NcsnppConfig {
  /** Channels of the first level. */
  readonly nf: number
  /** Channels of each level, in multiples of nf. */
  readonly ch_mult: readonly number[]
  readonly num_res_blocks: number
  /** Sides of the feature maps that attend. */
  readonly attn_resolutions: readonly number[]
  readonly dropout: number
  /** Whether resampling of the `ddpm` blocks has a convolution of its own. */
  readonly resamp_with_conv: boolean
  readonly image_size: number
  readonly num_channels: number
  /** Whether the network is told the noise level. */
  readonly conditional: boolean
  /** Whether resampling low-passes with `fir_kernel`; otherwise it averages and repeats pixels. */
  readonly fir: boolean
  readonly fir_kernel: readonly number[]
  /** Whether every sum of two branches is divided by sqrt 2. */
  readonly skip_rescale: boolean
  readonly resblock_type: 'ddpm' | 'biggan'
  /** How the output grows over the levels. */
  readonly progressive: 'none' | 'output_skip' | 'residual'
  /** How shrunken copies of the input enter the levels. */
  readonly progressive_input: 'none' | 'input_skip' | 'residual'
  readonly progressive_combine: 'sum' | 'cat'
  readonly embedding_type: 'fourier' | 'positional'
  /** Scale of the initial weights of each branch's last layer; 0 stands for 1e-10. */
  readonly init_scale: number
  /** Deviation of the random frequencies of `fourier`. */
  readonly fourier_scale: number
  /** Whether inputs are in [-1, 1]; otherwise inputs in [0, 1] are brought there. */
  readonly centered: boolean
  /** Whether the output is divided by the noise level. */
  readonly scale_by_sigma: boolean
  /** Noise levels that integer timesteps stand for, falling geometrically; used with `positional` and `scale_by_sigma` only. */
  readonly sigma_min: number
  readonly sigma_max: number
  readonly num_scales: number
}

const DEFAULTS: NcsnppConfig = {
  nf: 128,
  ch_mult: [1, 2, 2, 2],
  num_res_blocks: 8,
  attn_resolutions: [16],
  dropout: 0.1,
  resamp_with_conv: true,
  image_size: 32,
  num_channels: 3,
  conditional: true,
  fir: false,
  fir_kernel: [1, 3, 3, 1],
  skip_rescale: true,
  resblock_type: 'biggan',
  progressive: 'none',
  progressive_input: 'none',
  progressive_combine: 'sum',
  embedding_type: 'positional',
  init_scale: 0,
  fourier_scale: 16,
  centered: true,
  scale_by_sigma: false,
  sigma_min: 0.01,
  sigma_max: 50,
  num_scales: 1000,
}

const CHOICES: Readonly<Record<string, readonly unknown[]>> = {
  resblock_type: ['ddpm', 'biggan'],
  progressive: ['none', 'output_skip', 'residual'],
  progressive_input: ['none', 'input_skip', 'residual'],
  progressive_combine: ['sum', 'cat'],
  embedding_type: ['fourier', 'positional'],
}

/** Options of the origin of which only one value exists here; another value would silently be a different network. */
const FIXED: Readonly<Record<string, unknown>> = { nonlinearity: 'swish' }

/** Options of a config that do not change the network. `continuous` chooses the training loss. */
const IGNORED = ['continuous', 'name', 'normalization', 'ema_rate', 'beta_min', 'beta_max', '_class_name', '_diffusers_version']

const REALS = ['ch_mult', 'dropout', 'fir_kernel', 'init_scale', 'fourier_scale', 'sigma_min', 'sigma_max']

const fail = configError('ncsnpp')

/**
 * The complete configuration from a part of it, as a `config.json` gives it.
 * Throws when a name is unknown, a value is not supported, or the parts contradict each other.
 */
export const ncsnppConfig = (given: Readonly<Record<string, unknown>>): NcsnppConfig => {
  const config = completeConfig(
    { network: 'ncsnpp', defaults: DEFAULTS, fixed: FIXED, ignored: IGNORED, choices: CHOICES, reals: REALS },
    given,
  )
  check(config)
  return config
}

const check = (c: NcsnppConfig): void => {
  if (c.ch_mult.length === 0) fail('ch_mult is empty', 'give one multiple of nf per level')
  const divisor = 2 ** (c.ch_mult.length - 1)
  if (c.image_size % divisor !== 0) {
    fail(`image_size ${c.image_size} cannot be halved ${c.ch_mult.length - 1} times`, `choose a multiple of ${divisor}`)
  }
  if (c.fir && c.fir_kernel.length < 4) {
    fail(`fir_kernel [${c.fir_kernel}] is shorter than its convolution needs`, 'give four taps, or set fir to false')
  }
  if (c.nf % 4 !== 0) fail(`nf ${c.nf} is no multiple of 4`, 'group norm takes groups of four channels or more')
}

/** Whether the feature maps of a level attend. */
export const attendsAt = (c: NcsnppConfig, level: number): boolean => c.attn_resolutions.includes(c.image_size / 2 ** level)

/** Filter taps of the configuration: [1,1] averages and repeats. */
export const tapsOf = (c: NcsnppConfig): readonly number[] => (c.fir ? c.fir_kernel : [1, 1])
