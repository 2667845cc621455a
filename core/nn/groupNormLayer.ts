import { ops, type Tensor } from '../index.ts'
import type { Scope } from './scope.ts'

export interface GroupNormLayerOptions {
  readonly groups: number
  /** Added to the variance. Default 1e-5. */
  readonly epsilon?: number
  /** Whether silu follows, in the same kernel. Default false. */
  readonly silu?: boolean
}

/** Group normalisation of x [batch, channels, ...] with the layer's weight and bias [channels]. */
export const groupNormLayer = (x: Tensor, layer: Scope, options: GroupNormLayerOptions): Tensor =>
  ops.groupNorm(x, layer.get('weight'), layer.get('bias'), options)
