import type { EpsilonModel } from '../../algorithms/models/types.ts'
import { isStochastic } from '../../algorithms/purification/anyPurifier.ts'
import { purify } from '../../algorithms/purification/purify.ts'
import { purifyVpsde } from '../../algorithms/purification/purifyVpsde.ts'
import type { Draws } from '../../algorithms/randomness/draws.ts'
import type { Tensor } from '../../core/index.ts'
import { purifierOf } from './dwBoxFile.ts'
import { vpsdePurifierOf } from './dwBoxVpsdeFile.ts'
import { givenDraws } from './givenDraws.ts'
import type { GoldenFile } from './goldenFolder.ts'

/** Images, pixels in [0,1], purified with the recorded noise. `watch` sees every x_t that the network is asked about. */
export type RecordedPurifier = (x: Tensor, watch?: (xT: Tensor) => void) => Tensor

/** Whether a `dwbox_*` file records a purifier in continuous time. */
export const isVpsde = (file: Pick<GoldenFile, 'name'>): boolean => file.name.startsWith('dwbox_vpsde')

/** The recorded noise: of the forward process, and per reverse step in the order of the timesteps. */
const recordedDraws = (file: GoldenFile, { stochastic }: { stochastic: boolean }): Draws => {
  const forward = file.get('noise_global')
  const reverse = stochastic ? file.get('reverse_noise') : undefined
  const row = forward.values.length
  return givenDraws(forward.shape[0]!, ({ source, diffusionStep, part }) => {
    if (part !== '') return undefined
    if (source === 'forward') return forward.values
    return source === 'reverse' ? reverse?.values.subarray(row * diffusionStep, row * (diffusionStep + 1)) : undefined
  })
}

const watched =
  (epsilonTheta: EpsilonModel, watch?: (xT: Tensor) => void): EpsilonModel =>
  (xT, t) => {
    watch?.(xT)
    return epsilonTheta(xT, t)
  }

/** The purifier of a `dwbox_*` file with its noise: VPSDE, DDPM or DDIM, by its name. */
export const recordedPurifier = (file: GoldenFile, epsilonTheta: EpsilonModel): RecordedPurifier => {
  if (isVpsde(file)) {
    const purifier = vpsdePurifierOf(file, epsilonTheta)
    const draws = recordedDraws(file, { stochastic: true })
    return (x, watch) => purifyVpsde({ ...purifier, epsilonTheta: watched(epsilonTheta, watch) }, x, draws)
  }
  const purifier = purifierOf(file, epsilonTheta)
  const draws = recordedDraws(file, { stochastic: isStochastic(purifier) })
  return (x, watch) => purify({ ...purifier, epsilonTheta: watched(epsilonTheta, watch) }, x, draws)
}
