import { alphaCumprod, type Schedule } from './schedule.ts'

/**
 * The real timestep at which a discrete schedule has the given abar, so that a network trained on timesteps can be asked at any noise
 * level: ln abar is interpolated linearly between whole timesteps, where it is exact.
 *
 *   tau with ln abar(tau) = ln abar,   abar(i) = alphasCumprod[i] for i = 0 .. T - 1
 *
 * At tau the network is told exactly the noise level that the image has; what is left of error is that it was trained on whole timesteps
 * only. Outside the schedule there is no such timestep: less noise than abar_0 gives 0 and more than abar_{T-1} gives T - 1, where the network
 * is told of more or less noise than there is. Throws RangeError unless 0 < abar <= 1.
 */
export const matchedTimestep = (schedule: Schedule, abar: number): number => {
  if (!(abar > 0 && abar <= 1)) {
    throw new RangeError(
      `matchedTimestep: abar must be above 0 and at most 1, got ${abar}; it is mean^2 of the VP SDE, 1 / (1 + sigma^2) of EDM`,
    )
  }
  const last = schedule.timesteps - 1
  if (abar >= alphaCumprod(schedule, 0)) return 0
  if (abar <= alphaCumprod(schedule, last)) return last
  // The largest timestep whose abar is not below the given one.
  let [low, high] = [0, last]
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if (alphaCumprod(schedule, middle) >= abar) low = middle
    else high = middle
  }
  const [from, to] = [Math.log(alphaCumprod(schedule, low)), Math.log(alphaCumprod(schedule, high))]
  return low + (Math.log(abar) - from) / (to - from)
}
