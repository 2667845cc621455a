import { checkpoint, ops, type Tensor } from '../../core/index.ts'
import { type Churn, churnedSigma, type Denoiser, heunStep } from '../diffusion/edm.ts'
import type { Draws } from '../randomness/draws.ts'
import { type ClampGradient, clampOf } from './clamp.ts'

/** A purifier with an EDM denoiser: everything but the noise. */
export interface EdmPurifier {
  readonly denoiser: Denoiser
  /** Falling noise levels that end at 0, such as `karrasSigmas({ steps: 50, sigmaMax: 0.5 })`. */
  readonly sigmas: readonly number[]
  /** Noise added again before steps. Default none: the only noise is the forward one. */
  readonly churn?: Churn
  /** Derivative of the final clamp, for attacks that see through saturated pixels. Default 'exact'. */
  readonly clampGradient?: ClampGradient
  /** Recompute each step in the backward pass instead of storing its activations: same bits, less memory. Default false. */
  readonly checkpointing?: boolean
}

/**
 * Diffusion-based purification with the EDM sampler.
 *
 * @paper E6 (EDM)
 *
 *   x_0 = (2 x - 1) + sigma_0 n,  then one Heun step per pair of noise levels,  result (x + 1) / 2 clamped to [0,1]
 *
 * x: [batch, channels, height, width], pixels in [0,1]; result likewise. Draws `forward` once and `reverse` at every step
 * that churns (diffusionStep = index of the step). The gradient to x is exact: through both evaluations of every step.
 * Throws RangeError when the levels do not fall to 0, and when `draws` is for another number of images.
 * Deviations: the published scripts purify from sigma_0 = 0.5, which is more noise than the 0.340 of t* = 0.1 (audit
 * finding M11; `vpsdeSigma` converts); `sigmas` decides here.
 */
export const purifyEdm = (purifier: EdmPurifier, x: Tensor, draws: Draws): Tensor => {
  const { denoiser, sigmas, churn, clampGradient = 'exact', checkpointing = false } = purifier
  const shape = x.shape.slice(1)
  checkLevels(sigmas)
  if (draws.images.length !== x.shape[0]) {
    throw new RangeError(`purifyEdm: ${x.shape[0]} images but draws for ${draws.images.length}; give draws.forImages(ids) one id per image`)
  }

  const steps = sigmas.length - 1
  let current = ops.addScaled(x.mul(2).sub(1), 1, draws.normal('forward', shape), sigmas[0]!)
  sigmas.slice(0, -1).forEach((sigma, diffusionStep) => {
    const step = (given: Tensor): Tensor =>
      heunStep(given, {
        denoiser,
        sigma,
        next: sigmas[diffusionStep + 1]!,
        churned: churn ? churnedSigma(sigma, churn, steps) : sigma,
        sNoise: churn?.sNoise ?? 1,
        z: () => draws.normal('reverse', shape, { diffusionStep }),
      })
    current = checkpointing ? checkpoint(step)(current) : step(current)
  })
  return clampOf(clampGradient)(current.add(1).mul(0.5), 0, 1)
}

const checkLevels = (sigmas: readonly number[]): void => {
  const falling = sigmas.every((sigma, i) => i === 0 || sigma < sigmas[i - 1]!)
  if (!(sigmas.length >= 2 && falling && sigmas.at(-1) === 0)) {
    throw new RangeError(`purifyEdm: the noise levels must fall and end at 0, got [${sigmas}]; make them with karrasSigmas`)
  }
}
