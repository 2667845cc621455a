import { ops, type Tensor } from '../../core/index.ts'
import type { Draws } from '../randomness/draws.ts'
import type { Norm } from './projections.ts'

/** One pass through a defence: logits [batch, classes], and what the attacker adds to any loss of them, [batch]. */
export interface ForwardPass {
  readonly logits: Tensor
  readonly extraLoss?: Tensor
}

/**
 * A defence as the attacker runs and differentiates it, in the random world of the draws: the defence itself, or the
 * attacker's stand-in for it (see bpda.ts, surrogate.ts, diffAttack.ts). x: [batch, channels, height, width], pixels in [0,1].
 */
export type AttackerView = (x: Tensor, draws: Draws) => ForwardPass

/** The view of an attacker who has the defence and adds nothing. */
export const viewOf =
  (defence: (x: Tensor, draws: Draws) => Tensor): AttackerView =>
  (x, draws) => ({ logits: defence(x, draws) })

/** All that an attack is given. */
export interface AttackProblem {
  /** Clean images [batch, channels, height, width], pixels in [0,1]. */
  readonly images: Tensor
  readonly labels: readonly number[]
  readonly view: AttackerView
  /** Draws of the attack, one id per image. The threat setting has locked what the attacker knows. */
  readonly draws: Draws
  /** Random worlds that each look at the defence averages. */
  readonly eotSamples: number
  readonly norm: Norm
  /** Radius of the ball, pixel units. */
  readonly epsilon: number
}

/** What an attack found, per image. */
export interface AttackResult {
  /** The strongest image seen, as the problem's images: inside the ball and the box. The caller disposes it. */
  readonly xAdv: Tensor
  /** Share of the EoT samples on which it was misclassified, and the mean loss, when the attack looked at it. */
  readonly wrongShare: Float64Array
  readonly loss: Float64Array
  /**
   * Whether any sample of an image that the attack judged was misclassified: its own count, biased towards success. APGD and Square judge every
   * iterate, FAB the clean image and its last, PGD its last.
   */
  readonly found: readonly boolean[]
}

export type Attack = (problem: AttackProblem) => Promise<AttackResult>

/** The images at `rows`, in that order. x: [batch, ...]. */
export const takeRows = (x: Tensor, rows: readonly number[]): Tensor =>
  ops.concat(
    rows.map(row => x.slice([row, 0, 0, 0], [1, ...x.shape.slice(1)])),
    0,
  )

/** The problem for some of its images; the caller disposes the images. Draws follow the images' ids, so nothing else changes. */
export const problemAt = (problem: AttackProblem, rows: readonly number[]): AttackProblem => ({
  ...problem,
  images: takeRows(problem.images, rows),
  labels: rows.map(row => problem.labels[row]!),
  draws: problem.draws.forImages(rows.map(row => problem.draws.images[row]!)),
})
