import { ops, type Tensor } from '../../core/index.ts'

/**
 * The variance-preserving SDE of Song et al. (2021), dx = -beta(t) x / 2 dt + sqrt(beta(t)) dw, over t in [0, 1];
 * beta(t) = betaMin + (betaMax - betaMin) t. In float64.
 */
export interface VpSde {
  readonly betaMin: number
  readonly betaMax: number
}

export const paperVpSde: VpSde = { betaMin: 0.1, betaMax: 20 }

const assertTime = (operation: string, t: number): void => {
  if (!(t >= 0 && t <= 1)) throw new RangeError(`${operation}: time must be in [0, 1], got ${t}; the paper purifies from t* = 0.1`)
}

/** beta(t), the rate at which noise enters. Throws RangeError unless 0 <= t <= 1. */
export const vpsdeBeta = ({ betaMin, betaMax }: VpSde, t: number): number => {
  assertTime('vpsdeBeta', t)
  return betaMin + (betaMax - betaMin) * t
}

/** ln of the factor that is left of the image: -(betaMax - betaMin) t^2 / 4 - betaMin t / 2. */
export const vpsdeLogMeanCoefficient = ({ betaMin, betaMax }: VpSde, t: number): number => {
  assertTime('vpsdeLogMeanCoefficient', t)
  return (-(betaMax - betaMin) * t ** 2) / 4 - (betaMin * t) / 2
}

/** x_t given x_0 is normal: mean factor `mean` and deviation `std`, mean^2 + std^2 = 1. Accurate down to t = 0, where std is 0. */
export const vpsdeMarginal = (sde: VpSde, t: number): { readonly mean: number; readonly std: number } => {
  const logMean = vpsdeLogMeanCoefficient(sde, t)
  return { mean: Math.exp(logMean), std: Math.sqrt(-Math.expm1(2 * logMean)) }
}

/** Noise for each unit of image at time t, std / mean: the noise level sigma of EDM that purifies alike; 0.340 at t = 0.1. */
export const vpsdeSigma = (sde: VpSde, t: number): number => {
  const { mean, std } = vpsdeMarginal(sde, t)
  return std / mean
}

/**
 * The forward process up to time t: x_t = mean(t) x_0 + std(t) epsilon.
 * x0, epsilon: [batch, channels, height, width], x0 in [-1,1].
 */
export const vpsdeSample = (sde: VpSde, x0: Tensor, { t, epsilon }: { readonly t: number; readonly epsilon: Tensor }): Tensor => {
  const { mean, std } = vpsdeMarginal(sde, t)
  return ops.addScaled(x0, mean, epsilon, std)
}

/** A step back in time, from t to t - dt, and the noise predicted at t. */
export interface VpsdeStepOptions {
  readonly t: number
  /** Length of the step, above 0. */
  readonly dt: number
  readonly epsilon: Tensor
}

const checkedStep = (operation: string, sde: VpSde, { t, dt }: Pick<VpsdeStepOptions, 't' | 'dt'>): { beta: number; std: number } => {
  if (!(dt > 0 && t > 0)) {
    throw new RangeError(
      `${operation}: needs t > 0, where the score is defined, and a length dt > 0, got ${t} and ${dt}; dt counts backwards`,
    )
  }
  return { beta: vpsdeBeta(sde, t), std: vpsdeMarginal(sde, t).std }
}

/**
 * One Euler-Maruyama step of the reverse SDE.
 *
 * @paper E5 (VPSDE)
 *
 *   x_mean = x + (beta x / 2 + beta score) dt,  x = x_mean + sqrt(beta dt) z,  score = -epsilonTheta / std
 *
 * with dt > 0 the length of the step; the paper writes the same with dt = -1/N. The purifier returns the last x_mean, so z
 * is a function: `x` asks for it when called. xT, epsilon, z(): [batch, channels, height, width], diffusion range [-1,1].
 * Throws RangeError unless 0 < t <= 1 and dt > 0.
 */
export const vpsdeReverseStep = (
  sde: VpSde,
  xT: Tensor,
  o: VpsdeStepOptions & { readonly z: () => Tensor },
): { readonly xMean: Tensor; x(): Tensor } => {
  const { beta, std } = checkedStep('vpsdeReverseStep', sde, o)
  const xMean = ops.addScaled(xT, 1 + (beta * o.dt) / 2, o.epsilon, (-beta * o.dt) / std)
  return { xMean, x: () => ops.addScaled(xMean, 1, o.z(), Math.sqrt(beta * o.dt)) }
}

/**
 * One Euler step of the probability-flow ODE, which has the marginals of the SDE and no noise:
 * x_{t-dt} = x + (beta x / 2 + beta score / 2) dt.
 */
export const vpsdeFlowStep = (sde: VpSde, xT: Tensor, o: VpsdeStepOptions): Tensor => {
  const { beta, std } = checkedStep('vpsdeFlowStep', sde, o)
  return ops.addScaled(xT, 1 + (beta * o.dt) / 2, o.epsilon, (-beta * o.dt) / (2 * std))
}
