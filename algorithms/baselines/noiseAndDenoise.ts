import type { Tensor } from '../../core/index.ts'
import { ops } from '../../core/index.ts'
import type { Defence } from '../evaluation/defence.ts'
import type { Classifier } from '../models/types.ts'
import type { Draws } from '../randomness/draws.ts'
import type { Denoiser } from './affineDenoiser.ts'

/** Purification without diffusion: everything but the noise. */
export interface PlainPurifier {
  /** Deviation of the noise, pixels of [0,1]; `pixelSigma` gives that of a timestep. */
  readonly sigma: number
  readonly denoiser: Denoiser
}

/**
 * The baseline "add noise, then any off-the-shelf denoiser": clamp(denoiser(x + sigma n), 0, 1).
 *
 * With sigma = `pixelSigma(schedule, t)` the denoiser meets the x_t of the diffusion purifier, scaled back to pixels, and with one
 * seed the same noise. Draws `forward` once; the rest is deterministic, so only White and DW_Both are distinct settings.
 * x: [batch, channels, height, width], pixels in [0,1]; result likewise. The gradient to x is exact.
 */
export const purifyPlain = ({ sigma, denoiser }: PlainPurifier, x: Tensor, draws: Draws): Tensor =>
  denoiser(ops.addScaled(x, 1, draws.normal('forward', x.shape.slice(1)), sigma)).clamp(0, 1)

/** Classify what noise and denoiser make of the image. */
export const plainlyPurifiedClassifier =
  (purifier: PlainPurifier, classifier: Classifier): Defence =>
  (x, draws) =>
    classifier(purifyPlain(purifier, x, draws))
