import { karrasSigmas, publishedChurn } from '../../algorithms/diffusion/edm.ts'
import { alphaCumprod, linearSchedule } from '../../algorithms/diffusion/schedule.ts'
import type { EpsilonModel } from '../../algorithms/models/types.ts'
import type { AnyPurifier, PurifierSteps } from '../../algorithms/purification/anyPurifier.ts'
import { edmDenoiser, vpsdeEpsilon } from '../../algorithms/purification/discreteNetwork.ts'
import { paperVpsdeTimes } from '../../algorithms/purification/vpsdeTimes.ts'
import { type ReadingName, readings } from '../quirks/readings.ts'
import { readTimesteps } from '../quirks/readTimesteps.ts'

/** The reverse processes that the digits model purifies with, by their names on the command line, and how a table names them. */
export const processLabels = {
  ddpm: 'DDPM',
  ddim: 'DDIM',
  vpsde: 'VPSDE',
  'vpsde-flow': 'VPSDE flow',
  'vpsde-corrector': 'VPSDE with corrector',
  edm: 'EDM',
  'edm-churn': 'EDM with churn',
} as const

export type ProcessName = keyof typeof processLabels

export const processNames = Object.keys(processLabels) as [ProcessName, ...ProcessName[]]

/** Those of the paper's tables: EDM churns in the published scripts, and the SDE has no corrector under locks. */
export const claimedProcesses: readonly ProcessName[] = ['ddpm', 'ddim', 'vpsde', 'edm-churn']

export interface ProcessOptions {
  readonly reverse: ProcessName
  /** Share of the diffusion time at which purification starts. */
  readonly tStar: number
  readonly reverseSteps: number
  /** Whose timesteps DDPM and DDIM take; default paper. */
  readonly reading?: ReadingName
}

const schedule = linearSchedule()

/** Those that solve an equation whose adjoint gives the gradient, and those of discrete timesteps, as DiffAttack's loss needs. */
export const adjointProcesses: readonly ProcessName[] = ['vpsde', 'vpsde-flow']
export const discreteProcesses: readonly ProcessName[] = ['ddpm', 'ddim']

/** sigma of EDM that is as noisy as timestep t: noise for each unit of image, diffusion range. */
const sigmaAt = (t: number): number => Math.sqrt(1 / alphaCumprod(schedule, t) - 1)

/**
 * The steps of a process, all of them from the noise of t*: the last of t* T timesteps, the time t*, or the sigma of that timestep. EDM goes
 * down to the sigma of timestep 0, below which the digits model knows no noise level, and has two evaluations per step but
 * the last. Throws RangeError when the steps do not fit.
 */
export const processSteps = ({ reverse, tStar, reverseSteps: steps, reading = 'paper' }: ProcessOptions): PurifierSteps => {
  const intervals = () => readTimesteps(readings[reading], { tStar, steps })
  switch (reverse) {
    case 'ddpm':
      return { schedule, intervals: intervals(), reverse: { kind: 'ddpm', variance: 'fixedLarge' } }
    case 'ddim':
      return { schedule, intervals: intervals(), reverse: { kind: 'ddim', eta: 0 } }
    case 'vpsde':
      return { intervals: paperVpsdeTimes({ tStar, steps }), reverse: { kind: 'sde' } }
    case 'vpsde-flow':
      return { intervals: paperVpsdeTimes({ tStar, steps }), reverse: { kind: 'flow' } }
    case 'vpsde-corrector':
      return { intervals: paperVpsdeTimes({ tStar, steps }), reverse: { kind: 'sde', corrector: { snr: 0.16 } } }
    case 'edm':
    case 'edm-churn': {
      const sigmaMax = sigmaAt(Math.round(tStar * schedule.timesteps) - 1)
      const sigmas = karrasSigmas({ steps, sigmaMax, sigmaMin: Math.min(sigmaAt(0), sigmaMax / 2) })
      return { sigmas, ...(reverse === 'edm-churn' && { churn: publishedChurn }) }
    }
  }
}

/** The purifier of a process with a network trained on discrete timesteps, such as that of the digits; see discreteNetwork.ts. */
export const processPurifier = (o: ProcessOptions, epsilonTheta: EpsilonModel): AnyPurifier => {
  const steps = processSteps(o)
  if ('sigmas' in steps) return { ...steps, denoiser: edmDenoiser({ epsilonTheta, schedule }) }
  if ('schedule' in steps) return { ...steps, epsilonTheta }
  return { ...steps, epsilonTheta: vpsdeEpsilon({ epsilonTheta, schedule }), labelScale: 1 }
}
