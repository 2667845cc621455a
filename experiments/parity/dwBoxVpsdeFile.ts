import type { EpsilonModel } from '../../algorithms/models/types.ts'
import type { VpsdePurifier } from '../../algorithms/purification/purifyVpsde.ts'
import { FileError } from '../../core/io/fileError.ts'
import type { GoldenFile } from './goldenFolder.ts'

/** The published scripts divide this much of time, from 1 down to 1e-3, into N - 1 equal parts. */
const DIVIDED = 0.999

/** The steps N that time is divided into: two neighbouring times are 0.999 / (N - 1) apart. */
const scalesOf = (file: GoldenFile, times: readonly number[]): number => {
  const fault = (rule: string): never => {
    throw new FileError(file.path, `timesteps [${times}] ${rule}`, 'save the continuous times of the reverse steps, in their order')
  }
  if (times.length < 2) fault('do not tell how far apart they are')
  if (!times.every(t => t > 0 && t <= 1)) fault('are not all above 0 and at most 1')
  const found = times.slice(1).map((t, k) => Math.round(1 + DIVIDED / (times[k]! - t)))
  const scales = found[0]!
  if (!(Number.isFinite(scales) && scales > 1 && found.every(each => each === scales))) fault('do not fall in equal steps')
  return scales
}

/**
 * The purifier a `dwbox_vpsde_*` file records, as the published lock script has it (audit finding H2): predictor only, no
 * clamp, the last mean returned. Its `timesteps` are continuous times t; each step is 1/N long and the network is told
 * t (N - 1). Throws FileError on times that are none or do not fall evenly.
 */
export const vpsdePurifierOf = (file: GoldenFile, epsilonTheta: EpsilonModel): VpsdePurifier => {
  const times = Array.from(file.get('timesteps').values)
  const scales = scalesOf(file, times)
  return {
    epsilonTheta,
    intervals: times.map(t => ({ t, dt: 1 / scales })),
    reverse: { kind: 'sde' },
    labelScale: scales - 1,
    clamp: false,
  }
}
