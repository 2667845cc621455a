import { karrasSigmas } from '../../algorithms/diffusion/edm.ts'
import { linearSchedule } from '../../algorithms/diffusion/schedule.ts'
import type { EpsilonModel, Parameters } from '../../algorithms/models/types.ts'
import type { AnyPurifier } from '../../algorithms/purification/anyPurifier.ts'
import { edmDenoiser, vpsdeEpsilon } from '../../algorithms/purification/discreteNetwork.ts'
import { paperVpsdeTimes } from '../../algorithms/purification/vpsdeTimes.ts'
import { digitsUnet, droppingDigitsUnet } from '../digits/networks.ts'
import { type Arm, armSettings, readingOf } from './arms.ts'
import { readTimesteps } from './readTimesteps.ts'

const schedule = linearSchedule()

/** epsilonTheta of the digits; with a dropout key the network in training mode. */
const networkOf =
  (parameters: Parameters): EpsilonModel =>
  (xT, t, o) =>
    (o?.dropoutKey ? droppingDigitsUnet : digitsUnet).apply(parameters, xT, t, o)

/** The purifier of an arm, for the given weights of the diffusion model. */
export const armPurifier = (arm: Pick<Arm, 'family' | 'change'>, parameters: Parameters): AnyPurifier => {
  const reading = readingOf(arm)
  const { tStar, reverseSteps: steps } = armSettings
  const epsilonTheta = networkOf(parameters)
  const trainMode = reading.vpsdeDropout > 0
  switch (arm.family) {
    case 'vpsde':
      return {
        epsilonTheta: vpsdeEpsilon({ epsilonTheta, schedule }),
        labelScale: 1,
        intervals: paperVpsdeTimes({ tStar, steps }),
        reverse: { kind: 'sde', ...(reading.vpsdeAttackedCorrector && { corrector: reading.vpsdeAttackedCorrector }) },
        clamp: reading.vpsdeAttackedClamp,
        trainMode,
      }
    case 'edm':
      return {
        denoiser: edmDenoiser({ epsilonTheta, schedule }),
        sigmas: karrasSigmas({ steps, sigmaMin: 0.02, sigmaMax: reading.edmSigmaMax }),
      }
    default:
      return {
        epsilonTheta,
        schedule,
        intervals: readTimesteps(reading, { tStar, steps }),
        reverse:
          arm.family === 'ddpm'
            ? { kind: 'ddpm', variance: reading.variance }
            : { kind: 'ddim', eta: 0, clippedEpsilon: reading.clippedEpsilon },
        clip: reading.clip,
        clampGradient: reading.clampGradient,
        trainMode,
      }
  }
}
