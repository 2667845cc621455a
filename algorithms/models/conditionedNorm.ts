import { ops, type Tensor } from '../../core/index.ts'
import { groupNormLayer, type Scope } from '../../core/nn/index.ts'

export interface ConditionedNormOptions {
  readonly groups: number
  readonly epsilon: number
  /** Whether the embedding scales and shifts the normalised feature map, instead of being added before. */
  readonly adaptive: boolean
}

/**
 * How a residual block takes up the noise level e between its convolutions: silu(norm(h + e)) or, adaptively (Dhariwal and
 * Nichol 2021, "AdaGN"), silu(norm(h) (1 + scale) + shift) with [scale, shift] = e.
 * h: [batch, channels, height, width]; e: [batch, channels], adaptively [batch, 2 channels].
 */
export const conditionedNorm = (h: Tensor, e: Tensor, layer: Scope, { groups, epsilon, adaptive }: ConditionedNormOptions): Tensor => {
  const perChannel = e.reshape([...e.shape, 1, 1])
  if (!adaptive) return groupNormLayer(h.add(perChannel), layer, { groups, epsilon, silu: true })
  const [batch, channels] = h.shape as [number, number]
  const scale = perChannel.slice([0, 0, 0, 0], [batch, channels, 1, 1])
  const shift = perChannel.slice([0, channels, 0, 0], [batch, channels, 1, 1])
  return ops.silu(groupNormLayer(h, layer, { groups, epsilon }).mul(scale.add(1)).add(shift))
}
