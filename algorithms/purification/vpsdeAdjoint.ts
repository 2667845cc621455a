import { customGradient } from '../../core/customGradient.ts'
import { ops, stopGradient, type Tensor, tidy, vjp } from '../../core/index.ts'
import { paperVpSde, vpsdeBeta, vpsdeFlowStep, vpsdeReverseStep } from '../diffusion/vpsde.ts'
import type { Draws } from '../randomness/draws.ts'
import { type VpsdePurifier, vpsdeImage, vpsdeNoised, vpsdeStep } from './purifyVpsde.ts'

/** A place on the way back and the gradient there. */
interface Augmented {
  readonly x: Tensor
  readonly a: Tensor
}

/**
 * The purifier of the VP SDE with the gradient of the adjoint method (Li et al. 2020; as in DiffPure, Nie et al. 2022): the values of
 * `purifyVpsde` bit for bit, and a gradient that stores no step.
 *
 * With x_{k+1} = x_k + dt g(x_k, t_k) + sqrt(beta dt) z_k the steps of the purifier, the state is followed backwards from the result with
 * the same noises, and the gradient a beside it, both by Euler's method at the point y without the step's noise:
 *
 *   y = x_{k+1} - sqrt(beta dt) z_k,   x_k ~ y - dt g(y, t_k),   a_k = a_{k+1} + dt (dg/dx)(y, t_k)^T a_{k+1}
 *
 * The exact gradient takes g and dg/dx at x_k, one step earlier; so the adjoint one is off by O(dt), and by nothing but rounding where g
 * is affine in x, as for Gaussian data. Memory: one evaluation of the network and three images, for any number of steps, where exact
 * gradients keep at least an image for each. Time: as the exact gradient with `checkpointing`.
 * x: [batch, channels, height, width], pixels in [0,1]. Throws RangeError as purifyVpsde does, and with a corrector, which is no part of the
 * SDE, or dropout, which is none of its noises.
 * Deviations: the published solver takes its own points in time on the way back; here they are the purifier's, so no noise
 * is interpolated.
 */
export const purifyVpsdeAdjoint = (purifier: VpsdePurifier, x: Tensor, draws: Draws): Tensor => {
  const { intervals, reverse, trainMode } = purifier
  if (trainMode || (reverse.kind === 'sde' && reverse.corrector)) {
    throw new RangeError(
      'purifyVpsdeAdjoint: the adjoint equation has no corrector and no dropout; leave them out or take the exact gradient',
    )
  }
  /** From x_{t*} to x_0, holding one state at a time. */
  const denoise = (xT: Tensor): Tensor => {
    let current = stopGradient(xT)
    for (let k = 0; k < intervals.length; k++) {
      const next = tidy(() => vpsdeStep(purifier, current, { diffusionStep: k, draws }))
      current.dispose()
      current = next
    }
    return current
  }
  const pullback = (x0: Tensor, dy: Tensor): Tensor => {
    let after: Augmented = { x: x0, a: stopGradient(dy) }
    for (let k = intervals.length - 1; k >= 0; k--) {
      const before = tidy(() => stepBack(purifier, after, { k, draws }))
      after.x.dispose()
      after.a.dispose()
      after = before
    }
    after.x.dispose()
    return after.a
  }
  return vpsdeImage(purifier, customGradient(denoise, pullback)(vpsdeNoised(purifier, x, draws)))
}

const stepBack = (purifier: VpsdePurifier, { x, a }: Augmented, { k, draws }: { readonly k: number; readonly draws: Draws }): Augmented => {
  const { epsilonTheta, sde = paperVpSde, intervals, reverse, labelScale = 999 } = purifier
  const { t, dt } = intervals[k]!
  const noisy = reverse.kind === 'sde' && k < intervals.length - 1
  const z = (): Tensor => draws.normal('reverse', x.shape.slice(1), { diffusionStep: k })
  const y = noisy ? ops.addScaled(x, 1, z(), -Math.sqrt(vpsdeBeta(sde, t) * dt)) : x
  /** The step without its noise, y + dt g(y, t). */
  const drift = (from: Tensor): Tensor => {
    const epsilon = epsilonTheta(from, new Array<number>(from.shape[0]!).fill(t * labelScale))
    return reverse.kind === 'flow' ? vpsdeFlowStep(sde, from, { t, dt, epsilon }) : vpsdeReverseStep(sde, from, { t, dt, epsilon, z }).xMean
  }
  const { value, pullback } = vjp(drift, y)
  return { a: pullback(a), x: ops.addScaled(y, 2, value, -1) }
}
