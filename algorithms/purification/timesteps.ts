/** One reverse step of a purifier: from timestep t to the earlier s (s < 0: the clean image). */
export interface ReverseInterval {
  readonly t: number
  readonly s: number
}

const inRange = (operation: string, timesteps: number, tStar: number, steps: number): void => {
  if (!(tStar > 0 && tStar <= 1 && Number.isInteger(steps) && steps >= 1 && steps <= timesteps)) {
    throw new RangeError(
      `${operation}: needs 0 < tStar <= 1 and 1..${timesteps} whole steps, got tStar ${tStar} and ${steps} steps; the paper uses tStar 0.1`,
    )
  }
}

/**
 * The `paper` reading: exactly `steps` reverse steps from t* T noise levels down to none, evenly spaced. Level l is
 * timestep l - 1, so the image is noised with abar[t* T - 1], as in DiffPure, and the last step ends at s = -1.
 * Throws RangeError unless 0 < tStar <= 1 and the whole number `steps` fits into t* T.
 */
export const paperTimesteps = ({
  timesteps = 1000,
  tStar,
  steps,
}: {
  timesteps?: number
  tStar: number
  steps: number
}): ReverseInterval[] => {
  inRange('paperTimesteps', timesteps, tStar, steps)
  const level = (k: number): number => Math.round((tStar * timesteps * (steps - k)) / steps) - 1
  if (level(0) - level(steps) < steps) {
    throw new RangeError(`paperTimesteps: ${steps} steps do not fit into ${tStar * timesteps} timesteps; take fewer steps`)
  }
  return Array.from({ length: steps }, (_, k) => ({ t: level(k), s: level(k + 1) }))
}

/**
 * The `faithful` reading of the published scripts: the N timesteps (N - 1) r .. 0 with r = floor(T / N), sliced from index
 * round((1 - t*) N) - 1 on. Where t* N is whole, that is one step more than t* N and starts at t* T instead of t* T - 1 (audit finding M1).
 * (1 - t*) N is a floating-point product and rounding goes half to even, both as in Python. Throws RangeError as above.
 * Deviations: t* = 1 takes all timesteps; there the scripts' index -1 would mean the last timestep alone.
 */
export const faithfulTimesteps = ({
  timesteps = 1000,
  tStar,
  inferenceSteps,
}: {
  timesteps?: number
  tStar: number
  inferenceSteps: number
}): ReverseInterval[] => {
  inRange('faithfulTimesteps', timesteps, tStar, inferenceSteps)
  const ratio = Math.floor(timesteps / inferenceSteps)
  const all = Array.from({ length: inferenceSteps }, (_, i) => (inferenceSteps - 1 - i) * ratio)
  const first = Math.max(0, roundHalfToEven((1 - tStar) * inferenceSteps) - 1)
  return all.slice(first).map(t => ({ t, s: t - ratio }))
}

/** To the nearest integer; halves go to the even one, as in Python. */
export const roundHalfToEven = (x: number): number => {
  const low = Math.floor(x)
  if (x - low === 0.5) return low % 2 === 0 ? low : low + 1
  return Math.round(x)
}
