import { ops, stopGradient, tidy } from '../index.ts'
import { mapRecord, type OptimizerState, type TensorRecord } from './optimizer.ts'

export interface EmaOptions {
  /** Largest decay. Default 0.9999. */
  readonly maxDecay?: number
  readonly minDecay?: number
  /** Default 1. */
  readonly invGamma?: number
  /** Default 3/4, as diffusers' training script. */
  readonly power?: number
}

export interface EmaState extends OptimizerState {
  readonly average: TensorRecord
}

/**
 * Decay at the `step`-th update (1, 2, ...): 1 - (1 + (step - 1) / invGamma)^-power within [minDecay, maxDecay]; 0 at the
 * first, which therefore copies the parameters.
 */
export const emaDecay = (step: number, { maxDecay = 0.9999, minDecay = 0, invGamma = 1, power = 3 / 4 }: EmaOptions = {}): number => {
  const past = step - 1
  if (past <= 0) return 0
  return Math.max(minDecay, Math.min(maxDecay, 1 - (1 + past / invGamma) ** -power))
}

/**
 * Exponential moving average of parameters with the warm-up of diffusers' EMAModel: average = d average + (1 - d) params.
 * Pure as the optimizers: `update` makes a new state and frees nothing.
 */
export const ema = (o: EmaOptions = {}) => ({
  init: (params: TensorRecord): EmaState => ({ step: 0, average: mapRecord(params, (_, x) => stopGradient(x)) }),
  update: (params: TensorRecord, state: EmaState): EmaState =>
    tidy(() => {
      const decay = emaDecay(state.step + 1, o)
      return { step: state.step + 1, average: mapRecord(params, (name, x) => ops.addScaled(state.average[name]!, decay, x, 1 - decay)) }
    }),
})
