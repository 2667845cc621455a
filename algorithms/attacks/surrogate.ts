import type { AnyPurifier } from '../purification/anyPurifier.ts'

/**
 * The purifier with fewer reverse steps, for an attacker who saves on gradients: it starts at the same noise level and visits `steps`
 * of the defender's own timesteps, times or noise levels, evenly spread. Noises keep their names, so what a setting locks stays locked by
 * the index of the step. Throws RangeError unless `steps` is a whole number from 1 to the purifier's own.
 */
export const surrogatePurifier = <P extends AnyPurifier>(purifier: P, { steps }: { readonly steps: number }): P => {
  if ('sigmas' in purifier) return { ...purifier, sigmas: [...spread(purifier.sigmas.slice(0, -1), steps), 0] }
  if ('schedule' in purifier) {
    const { intervals } = purifier
    const chosen = spread(intervals, steps).map(({ t }) => t)
    return { ...purifier, intervals: chosen.map((t, k) => ({ t, s: chosen[k + 1] ?? intervals.at(-1)!.s })) }
  }
  const { intervals } = purifier
  const chosen = spread(intervals, steps).map(({ t }) => t)
  const { t, dt } = intervals.at(-1)!
  return { ...purifier, intervals: chosen.map((time, k) => ({ t: time, dt: time - (chosen[k + 1] ?? t - dt) })) }
}

/** `count` of the items, evenly spread, the first among them. */
const spread = <T>(items: readonly T[], count: number): T[] => {
  if (!(Number.isInteger(count) && count >= 1 && count <= items.length)) {
    throw new RangeError(
      `surrogatePurifier: steps must be a whole number from 1 to the purifier's ${items.length}, got ${count}; half of them is usual`,
    )
  }
  return Array.from({ length: count }, (_, k) => items[Math.floor((k * items.length) / count)]!)
}
