import { dispose, stopGradient, type Tensor, tidy } from '../../core/index.ts'
import { apgdCheckpoints, atCheckpoint, type StepSizeState } from './apgdCheckpoints.ts'
import { inRuns } from './inRuns.ts'
import { type LogitLoss, type LogitLossName, logitLosses, targetedDlrLoss } from './logitLosses.ts'
import { gradientAt, lookAt } from './look.ts'
import type { Attack, AttackProblem, AttackResult } from './problem.ts'
import { projectImage, steepestDirection } from './projections.ts'
import { randomStart } from './randomStart.ts'
import { chooseImages, firstSeen, perImage, stronger } from './strongest.ts'
import { rankTargets } from './targets.ts'

export interface ApgdOptions {
  readonly steps: number
  readonly restarts?: number
  /** Default random, a uniform point of the l_inf ball projected onto the attack's. */
  readonly init?: 'random' | 'zero'
}

/** Mean loss of each image at an iterate, and the step size with which it was left. */
export interface ApgdTrace {
  readonly loss: Float64Array
  readonly stepSize: readonly number[]
}

/** Weight of the new direction against the last one. */
const momentum = 0.75

/**
 * Auto-PGD (Croce & Hein 2020, Algorithm 1) with expectation over transformation: no step size to choose.
 *
 *   z_k = P(x_k + eta g_k),   x_{k+1} = P(x_k + 0.75 (z_k - x_k) + 0.25 (x_k - x_{k-1})),   eta = 2 epsilon at first
 *
 * with P the projection onto ball and box and g_k the steepest direction of the EoT gradient. At the checkpoints eta is
 * halved for the images that made too little progress, which go back to where their loss was largest (apgdCheckpoints.ts).
 * Takes N gradients and one look more. Returns the strongest iterate; `trace` has one entry per iterate.
 * Throws RangeError when `steps` is not a whole number >= 1.
 * Deviations: the published code decides by one EoT sample where this takes the mean of all (audit finding H8), and returns the
 * clean image where nothing was misclassified (F3). Where that code differs from the text this follows the text: the code
 * rounds its checkpoints down, and halves also when exactly 75 % of the iterations raised the loss. Its random start is scaled to
 * the ball's border (github.com/fra31/auto-attack, autopgd_base.py).
 */
export const apgdRun = async (
  problem: AttackProblem,
  loss: LogitLoss,
  { steps, init = 'random' }: Omit<ApgdOptions, 'restarts'>,
): Promise<{ readonly result: AttackResult; readonly trace: readonly ApgdTrace[] }> => {
  if (!(Number.isInteger(steps) && steps >= 1)) throw new RangeError(`apgd: steps must be a whole number >= 1, got ${steps}; 100 is usual`)
  const { images, draws, epsilon } = problem
  const project = (x: Tensor): Tensor => projectImage(images, x.sub(images), problem)
  const checkpoints = apgdCheckpoints(steps)
  const trace: ApgdTrace[] = []

  const states: StepSizeState[] = problem.labels.map(() => ({
    stepSize: 2 * epsilon,
    rises: 0,
    maxAtCheckpoint: 0,
    keptAtCheckpoint: true,
  }))
  let current: Moving | undefined
  let x = tidy(() => project(init === 'random' ? randomStart(images, draws, { epsilon }) : images))
  let result: AttackResult | undefined

  for (let k = 0; k < steps; k++) {
    const seen = await gradientAt(problem, loss, x, k)
    result = result ? stronger(result, x, seen) : firstSeen(x, seen)
    const top = current ? Float64Array.from(seen.loss, (value, i) => Math.max(value, current!.topLoss[i]!)) : seen.loss
    const isTop = [...seen.loss].map((value, i) => !current || value > current.topLoss[i]!)
    const length = k - (checkpoints.findLast(w => w < k) ?? 0)
    const goesBack = states.map((state, i) => {
      if (!current) states[i] = { ...state, maxAtCheckpoint: top[i]! }
      else if (seen.loss[i]! > current.lastLoss[i]!) states[i] = { ...state, rises: state.rises + 1 }
      if (k === 0 || !checkpoints.includes(k)) return false
      const { halved, ...next } = atCheckpoint(states[i]!, { length, max: top[i]! })
      states[i] = next
      return halved
    })
    const stepSize = states.map(state => state.stepSize)
    trace.push({ loss: seen.loss, stepSize })
    const moved = tidy(() => {
      const topX = current ? chooseImages(isTop, x, current.topX) : stopGradient(x)
      const topGradient = current ? chooseImages(isTop, seen.gradient, current.topGradient) : seen.gradient
      const from = chooseImages(goesBack, topX, x)
      const gradient = chooseImages(goesBack, topGradient, seen.gradient)
      const z = project(from.add(steepestDirection(gradient, problem.norm).mul(perImage(stepSize))))
      const next = current ? project(from.add(z.sub(from).mul(momentum)).add(from.sub(current.previous).mul(1 - momentum))) : z
      return { next, topX, topGradient, previous: from }
    })
    dispose([x, current?.previous, current?.topX, current?.topGradient])
    if (moved.topGradient !== seen.gradient) seen.gradient.dispose()
    const lastLoss = seen.loss.map((value, i) => (goesBack[i] ? top[i]! : value))
    current = { previous: moved.previous, topX: moved.topX, topGradient: moved.topGradient, topLoss: top, lastLoss }
    x = moved.next
  }
  const last = stronger(result!, x, await lookAt(problem, loss, x, steps))
  dispose([x, current!.previous, current!.topX, current!.topGradient])
  return { result: last, trace }
}

/** What APGD remembers from one iterate to the next. */
interface Moving {
  readonly previous: Tensor
  /** The iterate of largest loss, its gradient and its loss. */
  readonly topX: Tensor
  readonly topGradient: Tensor
  readonly topLoss: Float64Array
  /** Loss where the next step starts. */
  readonly lastLoss: Float64Array
}

/** APGD on an untargeted loss, with restarts. */
export const apgd = ({ loss, restarts = 1, ...o }: ApgdOptions & { readonly loss: LogitLossName }): Attack =>
  inRuns(restarts, async problem => (await apgdRun(problem, logitLosses[loss], o)).result)

/** APGD-T: APGD on the targeted DLR loss, once towards each of the `targets` classes that the model finds likeliest (default 9). */
export const apgdTargeted =
  ({ targets = 9, ...o }: Omit<ApgdOptions, 'restarts'> & { readonly targets?: number }): Attack =>
  async problem => {
    const wanted = await rankTargets(problem, targets)
    return inRuns(wanted.length, async (part, run, rows) => {
      const classes = rows.map(row => wanted[run]![row]!)
      return (await apgdRun(part, (logits, labels) => targetedDlrLoss(logits, labels, classes), o)).result
    })(problem)
  }
