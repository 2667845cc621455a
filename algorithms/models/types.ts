import type { Tensor } from '../../core/index.ts'
import type { DropoutKey } from '../../core/nn/index.ts'

/** Flat parameters keyed by the state-dict names of the published checkpoint. */
export type Parameters = Readonly<Record<string, Tensor>>

/**
 * The noise predictor epsilonTheta(x_t, t) with its parameters fixed.
 * xT: [batch, channels, height, width] in diffusion range; t: one timestep per image; result as xT. With a `dropoutKey` a network
 * that has dropout runs in training mode.
 */
export type EpsilonModel = (xT: Tensor, t: readonly number[], o?: { readonly dropoutKey?: DropoutKey }) => Tensor

/** A classifier with its parameters fixed: images [batch, channels, height, width], pixels in [0,1], to logits [batch, classes]. */
export type Classifier = (images: Tensor) => Tensor
