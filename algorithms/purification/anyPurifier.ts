import type { Tensor } from '../../core/index.ts'
import { churnedSigma } from '../diffusion/edm.ts'
import type { Draws } from '../randomness/draws.ts'
import { type Purifier, purify } from './purify.ts'
import { type EdmPurifier, purifyEdm } from './purifyEdm.ts'
import { purifyVpsde, type VpsdePurifier, vpsdeEvaluations } from './purifyVpsde.ts'
import { purifyVpsdeAdjoint } from './vpsdeAdjoint.ts'

/** How the gradient of a purifier in continuous time is computed: through every step, or by the adjoint equation; see vpsdeAdjoint.ts. */
export type PurifierGradient = 'exact' | 'adjoint'

/** A purifier of any process: DDPM or DDIM, the VP SDE or its flow, EDM with or without churn. */
export type AnyPurifier = Purifier | (VpsdePurifier & { readonly gradient?: PurifierGradient }) | EdmPurifier

/** What decides how a purifier spends noise and evaluations: all but its network. */
export type PurifierSteps =
  | Pick<Purifier, 'schedule' | 'intervals' | 'reverse'>
  | Pick<VpsdePurifier, 'intervals' | 'reverse'>
  | Pick<EdmPurifier, 'sigmas' | 'churn'>

/**
 * Purifies with whatever process. x: [batch, channels, height, width], pixels in [0,1]; result likewise (a VP SDE without its clamp may
 * leave them). Draws `forward` once, and `reverse` when `isStochastic`. Errors are those of the process.
 */
export const purifyAny = (purifier: AnyPurifier, x: Tensor, draws: Draws): Tensor => {
  if ('sigmas' in purifier) return purifyEdm(purifier, x, draws)
  if ('schedule' in purifier) return purify(purifier, x, draws)
  return purifier.gradient === 'adjoint' ? purifyVpsdeAdjoint(purifier, x, draws) : purifyVpsde(purifier, x, draws)
}

/**
 * Whether purification draws noise besides the forward one, so that knowing the forward noise is not knowing all: DDPM, and DDIM with
 * eta above 0, at every step but the last; the SDE likewise, and with a corrector at every step; EDM where a step churns. A purifier of
 * one step is therefore deterministic unless it has a corrector or churns.
 */
export const isStochastic = (purifier: PurifierSteps): boolean => {
  if ('sigmas' in purifier) {
    const { sigmas, churn } = purifier
    return churn !== undefined && sigmas.slice(0, -1).some(sigma => churnedSigma(sigma, churn, sigmas.length - 1) > sigma)
  }
  const { intervals, reverse } = purifier
  switch (reverse.kind) {
    case 'ddpm':
      return intervals.length > 1
    case 'ddim':
      return reverse.eta > 0 && intervals.length > 1
    case 'sde':
      return reverse.corrector !== undefined || intervals.length > 1
    case 'flow':
      return false
  }
}

/** Evaluations of the network for one purification (NFE). Heun's step has two, but the last one. */
export const networkEvaluations = (purifier: PurifierSteps): number => {
  if ('sigmas' in purifier) return 2 * (purifier.sigmas.length - 1) - 1
  return 'schedule' in purifier ? purifier.intervals.length : vpsdeEvaluations(purifier)
}
