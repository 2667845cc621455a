import { ops, scalar, type Tensor, tidy } from '../index.ts'
import { mapRecord, type TensorRecord } from './optimizer.ts'

/**
 * Scales all gradients by one factor so that their joint L2 norm is at most `maxNorm`: min(1, maxNorm / (norm + 1e-6)),
 * as PyTorch's clip_grad_norm_. Returns new gradients and the norm before clipping; throws when maxNorm is not positive.
 */
export const clipGradNorm = (gradients: TensorRecord, maxNorm: number): { gradients: Record<string, Tensor>; norm: Tensor } => {
  if (!(maxNorm > 0)) throw new RangeError(`clipGradNorm: maxNorm must be positive, got ${maxNorm}; leave the call out to clip nothing`)
  return tidy(() => {
    const all = Object.values(gradients)
    const start = all.length > 0 ? all[0]!.square().sum() : scalar(0)
    const norm = all
      .slice(1)
      .reduce((total, x) => total.add(x.square().sum()), start)
      .sqrt()
    const factor = ops.minimum(scalar(maxNorm, { backend: norm.backend }).div(norm.add(1e-6)), 1)
    return { gradients: mapRecord(gradients, (_, x) => x.mul(factor)), norm }
  })
}
