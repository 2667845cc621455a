import type { Tensor } from '../../core/index.ts'
import { gamma, type Modulation, modulated, paperModulation } from '../diffusion/modulation.ts'
import { perImage, predictXStartFromEpsilon, qSample, type Schedule } from '../diffusion/schedule.ts'
import { paperVpSde, type VpSde, vpsdeMarginal } from '../diffusion/vpsde.ts'
import type { Draws } from '../randomness/draws.ts'

/** A diffusion network with its parameters fixed: noisy images and one time per image to what it predicts of them. */
export type Network = (xT: Tensor, t: readonly number[]) => Tensor

/**
 * The noising a diffusion model is trained for, as far as ADDT needs it. What a time is depends on the process: a timestep
 * (DDPM, DDIM), t in (0, 1] (VPSDE) or the noise level sigma (EDM). Images are in [-1,1], [batch, channels, height, width];
 * every function takes one time per image.
 */
export interface NoiseProcess {
  /** One training time per image. Draws `timestep`. */
  drawTimes(draws: Draws): number[]
  /** Ratio of signal to noise in amplitude at a time. */
  gamma(t: number): number
  /** The noisy image of x0 and the noise n (E1; EDM: x_0 + sigma n). */
  noised(x0: Tensor, o: { readonly t: readonly number[]; readonly n: Tensor }): Tensor
  /** The clean image that the network's output implies (E2; EDM: the output itself). Not clipped. */
  estimate(xT: Tensor, o: { readonly t: readonly number[]; readonly output: Tensor }): Tensor
  /** The training loss of the network's output on the noisy image of x0 and n (E11); a scalar, mean over all elements. */
  loss(output: Tensor, o: { readonly x0: Tensor; readonly t: readonly number[]; readonly n: Tensor }): Tensor
}

/**
 * How much of the training noise at each image's time is adversarial.
 *
 * @paper E7 (modulation)
 *
 *   lambda_t = clip(lambda_unit gamma_t, lambda_min, lambda_max)
 */
export const lambdas = (process: NoiseProcess, t: readonly number[], modulation: Modulation = paperModulation): number[] =>
  t.map(time => modulated(process.gamma(time), modulation))

const epsilonLoss: NoiseProcess['loss'] = (output, { n }) => output.sub(n).square().mean()

export interface DdpmProcessOptions {
  /** Timesteps are uniform on 0 .. timestepLimit - 1. Default, and the paper's: the whole schedule. */
  readonly timestepLimit?: number
}

/**
 * The discrete process of DDPM, which DDIM samples too; the network is epsilonTheta.
 *
 * @paper Appendix G (t ~ U{0..T-1})
 *
 * Throws RangeError on a limit below 1 or a drawn timestep beyond the schedule.
 */
export const ddpmProcess = (schedule: Schedule, { timestepLimit = schedule.timesteps }: DdpmProcessOptions = {}): NoiseProcess => ({
  drawTimes: draws => [...draws.integers('timestep', { low: 0, high: timestepLimit })],
  gamma: t => gamma(schedule, t),
  noised: (x0, { t, n }) => qSample(schedule, x0, { t, epsilon: n }),
  estimate: (xT, { t, output }) => predictXStartFromEpsilon(schedule, xT, { t, epsilon: output }),
  loss: epsilonLoss,
})

export interface VpsdeProcessOptions {
  readonly sde?: VpSde
  /** t is uniform on [tMin, tMax). */
  readonly tMin?: number
  readonly tMax?: number
}

/**
 * The continuous process of the VPSDE; the network is epsilonTheta(x_t, t), the score times -std.
 *
 * @paper Appendix G (t ~ U(1e-3, 1))
 *
 * Throws RangeError unless 0 < tMin < tMax <= 1: at t = 0 there is no noise to learn.
 */
export const vpsdeProcess = ({ sde = paperVpSde, tMin = 1e-3, tMax = 1 }: VpsdeProcessOptions = {}): NoiseProcess => {
  if (!(tMin > 0 && tMin < tMax && tMax <= 1))
    throw new RangeError(`vpsdeProcess: needs 0 < tMin < tMax <= 1, got ${tMin} and ${tMax}; the paper draws t from (0.001, 1)`)
  const marginals = (t: readonly number[]) => t.map(time => vpsdeMarginal(sde, time))
  return {
    drawTimes: draws => Array.from(draws.uniformValues('timestep', [1]), u => tMin + (tMax - tMin) * u),
    gamma: t => {
      const { mean, std } = vpsdeMarginal(sde, t)
      return mean / std
    },
    noised: (x0, { t, n }) => {
      const at = marginals(t)
      return x0.mul(perImage(at.map(({ mean }) => mean))).add(n.mul(perImage(at.map(({ std }) => std))))
    },
    estimate: (xT, { t, output }) => {
      const at = marginals(t)
      return xT.mul(perImage(at.map(({ mean }) => 1 / mean))).sub(output.mul(perImage(at.map(({ mean, std }) => std / mean))))
    },
    loss: epsilonLoss,
  }
}

export interface EdmProcessOptions {
  /** Mean and deviation of ln sigma. */
  readonly logMean?: number
  readonly logStd?: number
  /** Deviation of the images, in the weight of the loss. */
  readonly sigmaData?: number
}

/**
 * The process of Karras et al. (2022), x = x_0 + sigma n with ln sigma ~ N(logMean, logStd^2); the network is the denoiser
 * D(x; sigma), which estimates x_0 itself. Loss: (sigma^2 + sigmaData^2) / (sigma sigmaData)^2 (D - x_0)^2.
 *
 * @paper Appendix G (ln sigma ~ N(-1.2, 1.2^2))
 *
 * Throws RangeError unless logStd >= 0 and sigmaData > 0.
 */
export const edmProcess = ({ logMean = -1.2, logStd = 1.2, sigmaData = 0.5 }: EdmProcessOptions = {}): NoiseProcess => {
  if (!(logStd >= 0 && sigmaData > 0))
    throw new RangeError(`edmProcess: needs logStd >= 0 and sigmaData > 0, got ${logStd} and ${sigmaData}; the usual are 1.2 and 0.5`)
  return {
    drawTimes: draws => Array.from(draws.normalValues('timestep', [1]), z => Math.exp(logMean + logStd * z)),
    gamma: sigma => 1 / sigma,
    noised: (x0, { t, n }) => x0.add(n.mul(perImage(t))),
    estimate: (_, { output }) => output,
    loss: (output, { x0, t }) => {
      const weights = t.map(sigma => (sigma ** 2 + sigmaData ** 2) / (sigma * sigmaData) ** 2)
      return output.sub(x0).square().mul(perImage(weights)).mean()
    },
  }
}
