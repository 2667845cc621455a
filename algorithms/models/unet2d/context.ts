import type { Tensor } from '../../../core/index.ts'
import type { DropoutKey } from '../../../core/nn/index.ts'
import type { Unet2dConfig } from './config.ts'

/** What every block of one forward pass shares. */
export interface UnetContext {
  readonly config: Unet2dConfig
  /** silu of the time embedding, [batch, 4 block_out_channels[0]]: what each residual block projects. */
  readonly timeFeatures: Tensor
  /** Present in training; each layer folds its own name into it. */
  readonly dropoutKey: DropoutKey | undefined
}

/** Channels of the time embedding. */
export const timeChannels = (config: Unet2dConfig): number => 4 * config.block_out_channels[0]!
