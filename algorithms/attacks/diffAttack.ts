import { checkpoint, type Tensor } from '../../core/index.ts'
import { qSample } from '../diffusion/schedule.ts'
import type { Classifier } from '../models/types.ts'
import { type Purifier, purify } from '../purification/purify.ts'
import type { AttackerView } from './problem.ts'

export interface DiffAttackOptions {
  /** Factor of the deviated reconstruction in the loss, [batch] units of squared diffusion range per pixel. Default 1. */
  readonly weight?: number
  /** Timesteps at which reconstructions are compared, among those the purifier visits; default all of them. */
  readonly timesteps?: readonly number[]
  /** alpha(t), the weight of a timestep. Default 1 for all. */
  readonly weightAt?: (t: number) => number
}

/**
 * DiffAttack (Kang et al. 2023) as a view of a diffusion purifier: the classification loss and a deviated reconstruction. What
 * purification reconstructs at timestep t, x'_t, is driven away from what the forward process made of the same image there, x_t:
 *
 *   L = L_class + weight mean_t alpha(t) mean_pixels (x_t - x'_t)^2,   x_t = qSample(2 x - 1, t) with the purifier's own forward noise
 *
 * so that the attack gets gradients from the middle of the chain. x'_t is what the noise predictor is shown at t. Each evaluation of the
 * predictor is recomputed in the backward pass, so memory holds one of them and the images x'_t: exactly the same gradient, whatever
 * the number of steps. Throws RangeError when a chosen timestep is not visited after the first, where x'_t = x_t.
 * Deviations: the segments of the paper's memory-saving backward pass are single evaluations; the noise that makes x_t is the purifier's
 * own draw rather than a fresh one; weights over t are given by the caller, being equal by default.
 */
export const diffAttackView = (purifier: Purifier, classifier: Classifier, o: DiffAttackOptions = {}): AttackerView => {
  const { weight = 1, weightAt = () => 1 } = o
  const visited = purifier.intervals.slice(1).map(({ t }) => t)
  const chosen = new Set(o.timesteps ?? visited)
  for (const t of chosen) {
    if (!visited.includes(t)) {
      throw new RangeError(`diffAttackView: timestep ${t} is not one at which the purifier reconstructs (${visited}); choose among these`)
    }
  }
  return (x, draws) => {
    const reconstructed: { readonly t: number; readonly xT: Tensor }[] = []
    const watched: Purifier = {
      ...purifier,
      // A checkpointed step would hide its images from the loss.
      checkpointing: false,
      epsilonTheta: (xT, t, masks) => {
        reconstructed.push({ t: t[0]!, xT })
        return checkpoint(current => purifier.epsilonTheta(current, t, masks))(xT)
      },
    }
    const logits = classifier(purify(watched, x, draws))
    const epsilon = draws.normal('forward', x.shape.slice(1))
    const deviations = reconstructed
      .filter(({ t }) => chosen.has(t))
      .map(({ t, xT }) => {
        const forward = qSample(purifier.schedule, x.mul(2).sub(1), { t, epsilon })
        return forward.sub(xT).square().mean([1, 2, 3]).mul(weightAt(t))
      })
    if (deviations.length === 0) return { logits }
    const mean = deviations.reduce((sum, deviation) => sum.add(deviation)).mul(1 / deviations.length)
    return { logits, extraLoss: mean.mul(weight) }
  }
}
