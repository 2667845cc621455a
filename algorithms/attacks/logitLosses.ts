import { full, ops, stopGradient, type Tensor, tensor } from '../../core/index.ts'
import { crossEntropy, oneHot } from '../../core/nn/crossEntropy.ts'

/**
 * What an attack ascends, from logits [batch, classes] to [batch]: larger is more adversarial. Labels are the true classes, or
 * for a targeted loss the true classes and those wanted instead.
 */
export type LogitLoss = (logits: Tensor, labels: readonly number[]) => Tensor
export type TargetedLogitLoss = (logits: Tensor, labels: readonly number[], targets: readonly number[]) => Tensor

/** Keeps a quotient of equal logits finite, as in the published code of APGD. */
const smallest = 1e-12

/**
 * Where the `count` largest logits of each image are: one mask of zeros and a one, [batch, classes], per rank, the largest
 * first. Of equal logits the smaller class comes first. No gradient.
 */
export const rankMasks = (logits: Tensor, count: number): Tensor[] => {
  const classes = logits.shape[1]!
  // Falling with the class, so that among ties the largest is at the first class.
  const order = tensor(
    Array.from({ length: classes }, (_, i) => classes - i),
    [1, classes],
  )
  const masks: Tensor[] = []
  let left = stopGradient(logits)
  for (let rank = 0; rank < count; rank++) {
    const tied = ops.equal(left, left.max([1], { keepDims: true })).mul(order)
    const mask = ops.equal(tied, tied.max([1], { keepDims: true }))
    masks.push(mask)
    left = ops.where(mask, full([1, 1], -Infinity), left)
  }
  return masks
}

/** 1 where the largest logit (the smaller class at a tie) is not the label's, else 0: [batch]. No gradient. */
export const misclassified = (logits: Tensor, labels: readonly number[]): Tensor =>
  full([labels.length], 1).sub(logitOf(rankMasks(logits, 1)[0]!, oneHot(labels, logits.shape[1]!)))

/** The logit that a mask points to, [batch]. */
const logitOf = (logits: Tensor, mask: Tensor): Tensor => logits.mul(mask).sum([1])

/** The largest logit of another class than the label. */
const largestOther = (logits: Tensor, labels: readonly number[]): Tensor =>
  ops.where(oneHot(labels, logits.shape[1]!), full([1, 1], -Infinity), logits).max([1])

const assertClasses = (name: string, logits: Tensor, least: number): void => {
  if (logits.shape[1]! < least) {
    throw new RangeError(`${name}: needs at least ${least} classes, got ${logits.shape[1]}; take the loss 'margin' or 'ce'`)
  }
}

/** The margin loss of Carlini & Wagner (2017): max_{i != y} z_i - z_y. Positive where the image is misclassified. */
export const marginLoss: LogitLoss = (logits, labels) => largestOther(logits, labels).sub(logitOf(logits, oneHot(labels, logits.shape[1]!)))

/** The margin towards one class: z_t - z_y. */
export const targetedMarginLoss: TargetedLogitLoss = (logits, labels, targets) =>
  logitOf(logits, oneHot(targets, logits.shape[1]!)).sub(logitOf(logits, oneHot(labels, logits.shape[1]!)))

/**
 * Difference of logits ratio (Croce & Hein 2020), with z_(k) the k-th largest logit:
 *
 *   DLR = -(z_y - max_{i != y} z_i) / (z_(1) - z_(3))
 *
 * Shifting or scaling all logits changes nothing. Throws RangeError on fewer than 3 classes.
 */
export const dlrLoss: LogitLoss = (logits, labels) => {
  assertClasses('dlrLoss', logits, 3)
  const [first, , third] = rankMasks(logits, 3)
  return marginLoss(logits, labels).div(logitOf(logits, first!).sub(logitOf(logits, third!)).add(smallest))
}

/**
 * Targeted difference of logits ratio (Croce & Hein 2020), with t the wanted class:
 *
 *   DLR_t = -(z_y - z_t) / (z_(1) - (z_(3) + z_(4)) / 2)
 *
 * Throws RangeError on fewer than 4 classes.
 */
export const targetedDlrLoss: TargetedLogitLoss = (logits, labels, targets) => {
  assertClasses('targetedDlrLoss', logits, 4)
  const [first, , third, fourth] = rankMasks(logits, 4)
  const lower = logitOf(logits, third!).add(logitOf(logits, fourth!)).mul(0.5)
  return targetedMarginLoss(logits, labels, targets).div(logitOf(logits, first!).sub(lower).add(smallest))
}

/** The untargeted losses by name: cross-entropy, margin and difference of logits ratio. */
export const logitLosses = { ce: crossEntropy, margin: marginLoss, dlr: dlrLoss } as const satisfies Record<string, LogitLoss>
export type LogitLossName = keyof typeof logitLosses
