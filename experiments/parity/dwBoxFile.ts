import type { PgdOptions } from '../../algorithms/attacks/pgd.ts'
import type { EpsilonModel } from '../../algorithms/models/types.ts'
import type { Purifier } from '../../algorithms/purification/purify.ts'
import { float32Schedule } from './float32Schedule.ts'
import type { GoldenFile } from './goldenFolder.ts'

const NUMBER = String.raw`(\d*\.?\d+)(?:\s*\/\s*(\d+))?`

/** The metadata of that name, or the number after the name in its note: `eps 8/255`. */
const metaNumber = ({ meta }: GoldenFile, names: readonly string[]): number | undefined => {
  for (const name of names) {
    const text = String(meta[name] ?? '')
    const found = text.match(`^${NUMBER}$`) ?? String(meta.note ?? '').match(`\\b${name}[ =]+${NUMBER}`)
    if (found) return Number(found[1]) / Number(found[2] ?? 1)
  }
  return undefined
}

/**
 * The attack a `dwbox_*` file records: l_2 where its name says so, else l_inf; radius and step from its notes, in pixel
 * units, else the paper's; as many steps as it has perturbations.
 */
export const recordedAttack = (file: GoldenFile): PgdOptions => {
  const norm = /_l2(_|$)/.test(file.name) ? 'l2' : 'linf'
  const usual = norm === 'l2' ? { epsilon: 0.5, stepSize: 0.1 } : { epsilon: 8 / 255, stepSize: 2 / 255 }
  return {
    norm,
    epsilon: metaNumber(file, ['eps', 'epsilon']) ?? usual.epsilon,
    stepSize: metaNumber(file, ['alpha', 'step_size']) ?? usual.stepSize,
    steps: file.tensorNames.filter(name => /^step\d+\.delta$/.test(name)).length,
    eotSamples: 1,
  }
}

/**
 * The purifier a `dwbox_*` file records: its `timesteps` down to the clean image. DDIM with eta = 0 where its name says so,
 * else DDPM with the variance of its note (fixed_large if none). On the origin's own float32 schedule.
 */
export const purifierOf = (file: GoldenFile, epsilonTheta: EpsilonModel): Purifier => {
  const timesteps = Array.from(file.get('timesteps').values)
  const variance = /fixed_small/.test(JSON.stringify(file.meta)) ? 'fixedSmall' : 'fixedLarge'
  return {
    epsilonTheta,
    schedule: float32Schedule(),
    intervals: timesteps.map((t, k) => ({ t, s: timesteps[k + 1] ?? -1 })),
    reverse: file.name.startsWith('dwbox_ddim') ? { kind: 'ddim', eta: 0 } : { kind: 'ddpm', variance },
  }
}
