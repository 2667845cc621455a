import type { ClippedEpsilon } from '../../algorithms/diffusion/ddim.ts'
import type { DdpmVariance } from '../../algorithms/diffusion/ddpm.ts'
import type { ClampGradient } from '../../algorithms/purification/clamp.ts'

/** Every choice at which the paper and its published scripts part, or at which the scripts decide what the paper leaves open. */
export interface Reading {
  /** DDPM, DDIM: which timesteps t* stands for (M1). */
  readonly timesteps: 'paper' | 'faithful'
  /** Whether P is clipped to [-1,1] at every step, how that is differentiated, and what noise a clipped DDIM step goes on with (M2). */
  readonly clip: boolean
  readonly clampGradient: ClampGradient
  readonly clippedEpsilon: ClippedEpsilon
  /** Variance of the DDPM reverse step (M3). */
  readonly variance: DdpmVariance
  /** PGD: where it starts, how often, which iterate counts; and on how many fresh draws an image is judged (M3). */
  readonly init: 'zero' | 'random'
  readonly restarts: number
  readonly iterate: 'last' | 'best'
  readonly reportDraws: number
  /** EoT samples in DW_Fwd: as many as in White, or one (H5). */
  readonly forwardEot: 'asWhite' | 'one'
  /** VPSDE: dropout left on (H1); Langevin corrector and clamp while attacked, label of time 1 (H2). */
  readonly vpsdeDropout: number
  readonly vpsdeAttackedCorrector: { readonly snr: number } | null
  readonly vpsdeAttackedClamp: boolean
  /** EDM: noise level at which purification starts (M11). */
  readonly edmSigmaMax: number
  /** ADDT: whether the guide's gradient reaches theta (H3, EDM only), dropout while CGPO searches (M4). */
  readonly leakGuideGradient: boolean
  readonly searchDropout: number
  /** Whether delta sums the gradients of all refinements (M6), what the model learns in the l_2 ablation (M7), what ranks equal deltas (M8). */
  readonly accumulate: boolean
  readonly l2Target: 'mixed' | 'epsilon'
  readonly ties: 'random' | 'position'
}

/** What the paper says; where it is silent, what the scripts do. Robustness is reported on fresh draws, ten for each image. */
const paper: Reading = {
  timesteps: 'paper',
  clip: true,
  clampGradient: 'exact',
  clippedEpsilon: 'predicted',
  variance: 'fixedLarge',
  init: 'zero',
  restarts: 1,
  iterate: 'last',
  reportDraws: 10,
  forwardEot: 'asWhite',
  vpsdeDropout: 0,
  vpsdeAttackedCorrector: null,
  vpsdeAttackedClamp: true,
  edmSigmaMax: 0.34,
  leakGuideGradient: false,
  searchDropout: 0,
  accumulate: true,
  l2Target: 'mixed',
  ties: 'random',
}

/** What the published scripts do otherwise. */
const faithful: Reading = {
  ...paper,
  timesteps: 'faithful',
  reportDraws: 1,
  forwardEot: 'one',
  vpsdeDropout: 0.1,
  vpsdeAttackedCorrector: { snr: 0.16 },
  vpsdeAttackedClamp: false,
  edmSigmaMax: 0.5,
  leakGuideGradient: true,
  searchDropout: 0.1,
  l2Target: 'epsilon',
  ties: 'position',
}

/** Both readings of the method, by the names that options use. */
export const readings = { paper, faithful } as const
export type ReadingName = keyof typeof readings
export const readingNames = Object.keys(readings) as [ReadingName, ...ReadingName[]]

/** The options on which the readings differ. */
export const differingOptions = (): (keyof Reading)[] =>
  (Object.keys(paper) as (keyof Reading)[]).filter(name => JSON.stringify(paper[name]) !== JSON.stringify(faithful[name]))
