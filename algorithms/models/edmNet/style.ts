import type { EdmNetConfig } from './config.ts'

/** How the blocks of the two networks differ. */
export interface BlockStyle {
  /** Added to the variance in group norms. */
  readonly epsilon: number
  /** Factor on every sum of two branches. */
  readonly skipScale: number
  /** Whether the noise embedding scales and shifts the normalised feature map, instead of being added before. */
  readonly adaptive: boolean
  /** Whether the shortcut of a resampling block has a 1x1 convolution although the channels stay. */
  readonly resampledProjection: boolean
}

/** SongUNet: branches of equal variance, as Song et al. 2021. */
const SONG: BlockStyle = { epsilon: 1e-6, skipScale: Math.SQRT1_2, adaptive: false, resampledProjection: true }

/** DhariwalUNet: adaptive group normalisation, as Dhariwal and Nichol 2021. */
const DHARIWAL: BlockStyle = { epsilon: 1e-5, skipScale: 1, adaptive: true, resampledProjection: false }

export const styleOf = ({ model_type }: EdmNetConfig): BlockStyle => (model_type === 'SongUNet' ? SONG : DHARIWAL)

/**
 * Attention heads of a feature map. As in the origin, DhariwalUNet does not attend (0 heads) on fewer channels than one
 * head needs.
 */
export const headsOf = ({ model_type, channels_per_head }: EdmNetConfig, channels: number): number =>
  model_type === 'SongUNet' ? 1 : Math.floor(channels / channels_per_head)
