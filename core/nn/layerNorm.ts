import { ops, type Tensor } from '../index.ts'
import type { Scope } from './scope.ts'

/**
 * Layer normalisation (Ba et al. 2016) over the last dimension: (x - mean) / sqrt(variance + epsilon) * weight + bias with the
 * biased variance. x: [..., features]; layer: weight, bias [features].
 */
export const layerNorm = (x: Tensor, layer: Scope, { epsilon = 1e-5 }: { readonly epsilon?: number } = {}): Tensor =>
  // A row is an image of one pixel and one group of channels.
  ops.groupNorm(x.reshape([-1, x.shape.at(-1)!]), layer.get('weight'), layer.get('bias'), { groups: 1, epsilon }).reshape(x.shape)
