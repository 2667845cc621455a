/**
 * The iterations at which APGD reconsiders its step size (Croce & Hein 2020, Section 3.1): w_j = ceil(p_j N), with
 *
 *   p_0 = 0,  p_1 = 0.22,  p_{j+1} = p_j + max(p_j - p_{j-1} - 0.03, 0.06)
 *
 * as long as p_j <= 1. Ascending, without repetition, beginning with 0. `steps`: the number N of iterations.
 */
export const apgdCheckpoints = (steps: number): number[] => {
  const checkpoints = [0]
  // In hundredths, which are exact.
  for (let before = 0, p = 22; p <= 100; [before, p] = [p, p + Math.max(p - before - 3, 6)]) {
    const w = Math.ceil((p * steps) / 100)
    if (w > checkpoints.at(-1)!) checkpoints.push(w)
  }
  return checkpoints
}

/** What is remembered of one image between checkpoints. */
export interface StepSizeState {
  readonly stepSize: number
  /** Iterations since the last checkpoint that raised the loss. */
  readonly rises: number
  /** Largest loss, and whether the step size was kept, at the last checkpoint. */
  readonly maxAtCheckpoint: number
  readonly keptAtCheckpoint: boolean
}

/** Share of iterations that must raise the loss for the step size to stay. */
const rho = 0.75

/**
 * One image at a checkpoint, `length` iterations after the last one: the step size is halved, and the attack goes back to
 * its best image, when
 *
 *   1. fewer than rho = 75 % of the iterations raised the loss, or
 *   2. the step size was kept at the last checkpoint and the largest loss has not grown since.
 */
export const atCheckpoint = (
  { stepSize, rises, maxAtCheckpoint, keptAtCheckpoint }: StepSizeState,
  { length, max }: { readonly length: number; readonly max: number },
): StepSizeState & { readonly halved: boolean } => {
  const halved = rises < rho * length || (keptAtCheckpoint && max === maxAtCheckpoint)
  return { stepSize: halved ? stepSize / 2 : stepSize, rises: 0, maxAtCheckpoint: max, keptAtCheckpoint: !halved, halved }
}
