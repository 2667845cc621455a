import { stopGradient, type Tensor } from '../../core/index.ts'
import type { Classifier } from '../models/types.ts'
import type { Draws } from '../randomness/draws.ts'
import type { AttackerView } from './problem.ts'

/** Image [batch, channels, height, width] to an image of the same shape, in the random world of the draws. */
export type Purification = (x: Tensor, draws: Draws) => Tensor

/**
 * f with the gradient of the identity: the values of f (only -0 becomes 0), differentiated as if f(x) = x. f itself is not traced, so a
 * purifier costs a forward pass and no memory. x must be finite.
 */
export const identityBackward =
  (f: (x: Tensor) => Tensor) =>
  (x: Tensor): Tensor =>
    stopGradient(f(stopGradient(x))).add(x.sub(stopGradient(x)))

/**
 * Backward Pass Differentiable Approximation (Athalye et al. 2018): the attacker purifies and then differentiates as if
 * purification changed nothing, since it roughly does not.
 *
 *   forward  z = C(purify(x)),   backward  dx = C'(purify(x))^T dz
 */
export const bpdaView =
  (purification: Purification, classifier: Classifier): AttackerView =>
  (x, draws) => ({ logits: classifier(identityBackward(input => purification(input, draws))(x)) })
