import type { AttackName } from '../../algorithms/attacks/presets.ts'
import type { LockSetName } from '../../algorithms/randomness/lockSets.ts'
import { type Reading, readings } from './readings.ts'

/** Which reverse process purifies; all run on the digits' diffusion model. */
export type Family = 'ddpm' | 'ddim' | 'vpsde' | 'edm'

/** One measurement: a purifier under an attack, everything by name. Two arms that a finding tells apart differ in one option. */
export interface Arm {
  readonly id: string
  readonly family: Family
  /** Shipped weights, or one of the short fine-tunings. */
  readonly weights: string
  readonly setting: LockSetName
  /** The reading of the paper with what sets the arm apart; default nothing. */
  readonly change?: Partial<Reading>
  /** Of the fixed settings below. */
  readonly eotSamples?: number
  /** An attack of the presets in place of PGD; its own count is kept too. */
  readonly attack?: AttackName
}

/** What all arms share; the smallest that shows effects of a few points. */
export const armSettings = {
  seed: 0,
  norm: 'linf',
  epsilon: 0.15,
  stepSize: 0.0375,
  steps: 20,
  /** Where something stays random. */
  eotSamples: 5,
  tStar: 0.15,
  reverseSteps: 5,
  /** Test images with and without an EoT loop, and under an attack of the presets. */
  images: 32,
  imagesDeterministic: 128,
  imagesPreset: 16,
  /** Iterations of an attack of the presets. */
  presetSteps: 5,
} as const

export const readingOf = ({ change }: Pick<Arm, 'change'>): Reading => ({ ...readings.paper, ...change })

/** Whether any draw of the arm's purifier stays random for the attacker. */
export const isRandom = (arm: Arm): boolean => arm.setting !== 'DW_Both' || readingOf(arm).vpsdeDropout > 0

const arm = (id: string, setting: LockSetName, more: Partial<Arm> = {}): Arm => ({
  id,
  family: 'ddpm',
  weights: 'vanilla',
  setting,
  ...more,
})

/** Every measurement of `npm run quirks`. */
export const arms: readonly Arm[] = [
  arm('both', 'DW_Both'),
  arm('white', 'White'),
  arm('both-timesteps', 'DW_Both', { change: { timesteps: 'faithful' } }),
  arm('white-timesteps', 'White', { change: { timesteps: 'faithful' } }),
  arm('both-dropout', 'DW_Both', { change: { vpsdeDropout: 0.1 } }),
  arm('white-dropout', 'White', { change: { vpsdeDropout: 0.1 } }),
  arm('forward', 'DW_Fwd'),
  arm('forward-eot-1', 'DW_Fwd', { eotSamples: 1 }),
  arm('both-no-clip', 'DW_Both', { change: { clip: false } }),
  arm('both-straight', 'DW_Both', { change: { clampGradient: 'straightThrough' } }),
  arm('ddim', 'DW_Both', { family: 'ddim' }),
  arm('ddim-rederived', 'DW_Both', { family: 'ddim', change: { clippedEpsilon: 'rederived' } }),
  arm('both-small-variance', 'DW_Both', { change: { variance: 'fixedSmall' } }),
  arm('both-best', 'DW_Both', { change: { iterate: 'best' } }),
  arm('both-random-start', 'DW_Both', { change: { init: 'random' } }),
  arm('both-restarts', 'DW_Both', { change: { restarts: 3 } }),
  arm('both-base', 'DW_Both', { weights: 'base' }),
  arm('vpsde', 'White', { family: 'vpsde' }),
  arm('vpsde-corrector', 'White', { family: 'vpsde', change: { vpsdeAttackedCorrector: { snr: 0.16 }, vpsdeAttackedClamp: false } }),
  arm('vpsde-both', 'DW_Both', { family: 'vpsde' }),
  arm('vpsde-both-no-clamp', 'DW_Both', { family: 'vpsde', change: { vpsdeAttackedClamp: false } }),
  arm('edm', 'DW_Both', { family: 'edm' }),
  arm('edm-more-noise', 'DW_Both', { family: 'edm', change: { edmSigmaMax: 0.5 } }),
  arm('autoattack', 'White', { attack: 'autoattack-rand' }),
  arm('autoattack-fixed', 'White', { attack: 'autoattack-fixed' }),
  ...['addt', 'addt-leak', 'addt-dropout', 'addt-last-gradient', 'addt-epsilon'].map(weights =>
    arm(`both-${weights}`, 'DW_Both', { weights: `short-${weights}` }),
  ),
]
