/** Optimizers, weight averaging, gradient clipping and learning-rate schedules, as pure functions over records. */
export { type AdamwOptions, type AdamwState, adamw } from './adamw.ts'
export { clipGradNorm } from './clipGradNorm.ts'
export { type EmaOptions, type EmaState, ema, emaDecay } from './ema.ts'
export { type LearningRate, type Optimizer, type OptimizerState, replace, type Updated } from './optimizer.ts'
export {
  constantSchedule,
  cosineSchedule,
  multiStepSchedule,
  type OneCycleOptions,
  oneCycleSchedule,
  type Schedule,
} from './schedules.ts'
export { type SgdOptions, type SgdState, sgd } from './sgd.ts'
