import type { EdmNetConfig } from './config.ts'

/** Scalings of one noise level sigma: D(x) = cSkip x + cOut F(cIn x; cNoise), where F is the bare network. */
export interface Preconditioning {
  readonly cSkip: number
  readonly cOut: number
  readonly cIn: number
  readonly cNoise: number
}

type Parameters = Pick<EdmNetConfig, 'precond' | 'sigma_data' | 'beta_d' | 'beta_min' | 'M'>

/** The time at which the VP SDE has the noise-to-signal ratio sigma: sigma(t)^2 = exp(beta_d t^2 / 2 + beta_min t) - 1. */
export const vpTimeOfSigma = (sigma: number, { beta_d, beta_min }: Pick<Parameters, 'beta_d' | 'beta_min'>): number =>
  (Math.sqrt(beta_min ** 2 + 2 * beta_d * Math.log1p(sigma ** 2)) - beta_min) / beta_d

/**
 * Table 1 of Karras et al. 2022.
 *
 *   vp:  cSkip = 1                      cOut = -sigma                       cIn = 1 / sqrt(sigma^2 + 1)    cNoise = (M - 1) t(sigma)
 *   ve:  cSkip = 1                      cOut = sigma                        cIn = 1                        cNoise = ln(sigma / 2)
 *   edm: cSkip = s^2 / (sigma^2 + s^2)  cOut = sigma s / sqrt(sigma^2+s^2)  cIn = 1 / sqrt(sigma^2 + s^2)  cNoise = ln(sigma) / 4
 *
 * with s = sigma_data. Throws RangeError unless sigma > 0.
 */
export const preconditioning = (sigma: number, config: Parameters): Preconditioning => {
  if (!(sigma > 0 && Number.isFinite(sigma))) {
    throw new RangeError(`edmNet: the noise level sigma must be above 0, got ${sigma}; the last step of a sampler does not ask the network`)
  }
  switch (config.precond) {
    case 'vp':
      return { cSkip: 1, cOut: -sigma, cIn: 1 / Math.hypot(sigma, 1), cNoise: (config.M - 1) * vpTimeOfSigma(sigma, config) }
    case 've':
      return { cSkip: 1, cOut: sigma, cIn: 1, cNoise: Math.log(sigma / 2) }
    case 'edm': {
      const total = Math.hypot(sigma, config.sigma_data)
      return {
        cSkip: (config.sigma_data / total) ** 2,
        cOut: (sigma * config.sigma_data) / total,
        cIn: 1 / total,
        cNoise: Math.log(sigma) / 4,
      }
    }
  }
}
