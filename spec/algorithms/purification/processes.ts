import { karrasSigmas } from '../../../algorithms/diffusion/edm.ts'
import { linearSchedule } from '../../../algorithms/diffusion/schedule.ts'
import type { EpsilonModel } from '../../../algorithms/models/types.ts'
import type { AnyPurifier } from '../../../algorithms/purification/anyPurifier.ts'
import { edmDenoiser, vpsdeEpsilon } from '../../../algorithms/purification/discreteNetwork.ts'
import { paperTimesteps } from '../../../algorithms/purification/timesteps.ts'
import { paperVpsdeTimes } from '../../../algorithms/purification/vpsdeTimes.ts'

const schedule = linearSchedule()

export interface Steps {
  readonly steps: number
  readonly tStar?: number
}

/** A purifier of each process with one network for discrete timesteps, and no clamp on the way. */
export const processes: Readonly<Record<string, (epsilonTheta: EpsilonModel, o: Steps) => AnyPurifier>> = {
  DDPM: (epsilonTheta, { steps, tStar = 0.1 }) => ({
    epsilonTheta,
    schedule,
    intervals: paperTimesteps({ tStar, steps }),
    reverse: { kind: 'ddpm', variance: 'fixedLarge' },
    clip: false,
  }),
  DDIM: (epsilonTheta, { steps, tStar = 0.1 }) => ({
    epsilonTheta,
    schedule,
    intervals: paperTimesteps({ tStar, steps }),
    reverse: { kind: 'ddim', eta: 0 },
    clip: false,
  }),
  'DDIM, eta 0.5': (epsilonTheta, { steps, tStar = 0.1 }) => ({
    epsilonTheta,
    schedule,
    intervals: paperTimesteps({ tStar, steps }),
    reverse: { kind: 'ddim', eta: 0.5 },
    clip: false,
  }),
  VPSDE: (epsilonTheta, { steps, tStar = 0.1 }) => ({
    epsilonTheta: vpsdeEpsilon({ epsilonTheta, schedule }),
    labelScale: 1,
    intervals: paperVpsdeTimes({ tStar, steps }),
    reverse: { kind: 'sde' },
  }),
  'VPSDE flow': (epsilonTheta, { steps, tStar = 0.1 }) => ({
    epsilonTheta: vpsdeEpsilon({ epsilonTheta, schedule }),
    labelScale: 1,
    intervals: paperVpsdeTimes({ tStar, steps }),
    reverse: { kind: 'flow' },
  }),
  'VPSDE with corrector': (epsilonTheta, { steps, tStar = 0.1 }) => ({
    epsilonTheta: vpsdeEpsilon({ epsilonTheta, schedule }),
    labelScale: 1,
    intervals: paperVpsdeTimes({ tStar, steps }),
    reverse: { kind: 'sde', corrector: { snr: 0.05 } },
  }),
  EDM: (epsilonTheta, { steps }) => ({
    denoiser: edmDenoiser({ epsilonTheta, schedule }),
    sigmas: karrasSigmas({ steps, sigmaMax: 0.3, sigmaMin: 0.02 }),
  }),
  'EDM with churn': (epsilonTheta, { steps }) => ({
    denoiser: edmDenoiser({ epsilonTheta, schedule }),
    sigmas: karrasSigmas({ steps, sigmaMax: 0.3, sigmaMin: 0.02 }),
    churn: { sChurn: 1 },
  }),
  'EDM with churn below its levels': (epsilonTheta, { steps }) => ({
    denoiser: edmDenoiser({ epsilonTheta, schedule }),
    sigmas: karrasSigmas({ steps, sigmaMax: 0.3, sigmaMin: 0.02 }),
    churn: { sChurn: 1, sMax: 0.01 },
  }),
}
