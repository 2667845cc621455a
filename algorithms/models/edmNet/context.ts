import type { Tensor } from '../../../core/index.ts'
import { groupNormLayer, type Scope } from '../../../core/nn/index.ts'
import type { Key } from '../../../core/random/key.ts'
import type { EdmNetConfig } from './config.ts'
import { styleOf } from './style.ts'

/** What every block of one forward pass shares. */
export interface EdmContext {
  readonly config: EdmNetConfig
  /** The noise embedding, [batch, model_channels channel_mult_emb]. */
  readonly embedding: Tensor
  /** Present in training; each layer folds its own name into it. */
  readonly dropoutKey: Key | undefined
}

/** Group norm of the origin: groups of four channels or more, at most 32 groups. */
export const normOptions = (x: Tensor, config: EdmNetConfig): { readonly groups: number; readonly epsilon: number } => ({
  groups: Math.min(32, Math.floor(x.shape[1]! / 4)),
  epsilon: styleOf(config).epsilon,
})

export const norm = (x: Tensor, layer: Scope, { silu, config }: { readonly silu: boolean; readonly config: EdmNetConfig }): Tensor =>
  groupNormLayer(x, layer, { ...normOptions(x, config), silu })
