import { constant, select } from '../expr/expr.ts'
import { ops, ShapeError, type Tensor, tensor } from '../index.ts'

/** Rows with a one at each label and zeros elsewhere: [labels, classes]. Throws RangeError on a label that is no class. */
export const oneHot = (labels: ArrayLike<number>, classes: number): Tensor => {
  const values = new Float32Array(labels.length * classes)
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i]!
    if (!Number.isInteger(label) || label < 0 || label >= classes) {
      throw new RangeError(`oneHot: label ${label} at ${i} is no class of 0..${classes - 1}; check the labels`)
    }
    values[i * classes + label] = 1
  }
  return tensor(values, [labels.length, classes])
}

/** The value at the label, else 0; no product with the one-hot row, since 0 times -infinity is no number. */
const ofLabel = ops.fused((oneHot, value) => select(oneHot!, value!, constant(0)))

/** -log softmax(logits)[label] per image. logits: [batch, classes], which may be -infinity at other classes; result [batch]. */
export const crossEntropy = (logits: Tensor, labels: ArrayLike<number>): Tensor => {
  if (logits.rank !== 2 || logits.shape[0] !== labels.length) {
    throw new ShapeError(
      `crossEntropy: logits must be [${labels.length},classes] for ${labels.length} labels, got [${logits.shape}]; match them`,
    )
  }
  return ofLabel(oneHot(labels, logits.shape[1]!), ops.logSoftmax(logits)).sum([1]).neg()
}

/** The mean of `crossEntropy` over the batch, a scalar. */
export const meanCrossEntropy = (logits: Tensor, labels: ArrayLike<number>): Tensor => crossEntropy(logits, labels).mean()
