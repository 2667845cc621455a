/**
 * Learning-rate schedules: functions from the number of updates made so far (0 at the first) to a learning rate, as the
 * schedulers of PyTorch and diffusers give it to that update.
 */
export type Schedule = (step: number) => number

interface WarmUp {
  readonly base: number
  /** Updates over which the rate rises linearly from 0. Default 0. */
  readonly warmUpSteps?: number
}

const warm = (step: number, warmUpSteps: number): number => (step < warmUpSteps ? step / Math.max(1, warmUpSteps) : 1)

/** From `from` to `to` along half a cosine as `progress` goes from 0 to 1. */
const halfCosine = (from: number, to: number, progress: number): number => to + ((from - to) / 2) * (1 + Math.cos(Math.PI * progress))

/** A linear warm-up, then `base`. */
export const constantSchedule =
  ({ base, warmUpSteps = 0 }: WarmUp): Schedule =>
  step =>
    base * warm(step, warmUpSteps)

/** A linear warm-up, then half a cosine from `base` to 0 at `totalSteps`, and 0 after it. */
export const cosineSchedule =
  ({ base, warmUpSteps = 0, totalSteps }: WarmUp & { readonly totalSteps: number }): Schedule =>
  step => {
    if (step < warmUpSteps) return base * warm(step, warmUpSteps)
    return halfCosine(base, 0, Math.min(1, (step - warmUpSteps) / Math.max(1, totalSteps - warmUpSteps)))
  }

export interface OneCycleOptions {
  readonly max: number
  readonly totalSteps: number
  /** Share of the updates with a rising rate. Default 0.3. */
  readonly rising?: number
  /** The first rate is max / divisor. Default 25. */
  readonly divisor?: number
  /** The last rate is the first divided by this. Default 1e4. */
  readonly finalDivisor?: number
}

/** One cycle (Smith and Topin 2018): half a cosine up from max / divisor to max, then one down to max / divisor / finalDivisor. */
export const oneCycleSchedule = ({ max, totalSteps, rising = 0.3, divisor = 25, finalDivisor = 1e4 }: OneCycleOptions): Schedule => {
  const first = max / divisor
  const top = rising * totalSteps - 1
  const last = totalSteps - 1
  return step => {
    if (step < top) return halfCosine(first, max, step / top)
    // At the top itself with nothing left to fall, when all updates have a rising rate.
    const fallen = step === top ? 0 : Math.min(1, (step - top) / (last - top))
    return halfCosine(max, first / finalDivisor, fallen)
  }
}

/** `base`, multiplied by `factor` (default 0.1) at each milestone reached. */
export const multiStepSchedule =
  ({
    base,
    milestones,
    factor = 0.1,
  }: {
    readonly base: number
    readonly milestones: readonly number[]
    readonly factor?: number
  }): Schedule =>
  step =>
    base * factor ** milestones.filter(milestone => milestone <= step).length
