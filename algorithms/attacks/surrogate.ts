import type { Purifier } from '../purification/purify.ts'

/**
 * The purifier with fewer reverse steps, for an attacker who saves on gradients: it starts at the same timestep and visits `steps`
 * of the defender's own timesteps, evenly spread. Noises keep their names, so what a setting locks stays locked by the index of
 * the step. Throws RangeError unless `steps` is a whole number from 1 to the purifier's own.
 */
export const surrogatePurifier = (purifier: Purifier, { steps }: { readonly steps: number }): Purifier => {
  const { intervals } = purifier
  if (!(Number.isInteger(steps) && steps >= 1 && steps <= intervals.length)) {
    throw new RangeError(
      `surrogatePurifier: steps must be a whole number from 1 to the purifier's ${intervals.length}, got ${steps}; half of them is usual`,
    )
  }
  const chosen = Array.from({ length: steps }, (_, k) => intervals[Math.floor((k * intervals.length) / steps)]!.t)
  return { ...purifier, intervals: chosen.map((t, k) => ({ t, s: chosen[k + 1] ?? intervals.at(-1)!.s })) }
}
