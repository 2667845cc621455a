import { linearise } from '../../expr/linear.ts'
import type { AnyOp } from '../../op.ts'
import type { ElementwiseAttributes } from '../../ops/elementwise.ts'
import { type Shape, sizeOf } from '../../shape.ts'

/** What an op was called with. */
export interface OpCall {
  readonly op: Pick<AnyOp, 'name' | 'kernel'>
  readonly inputs: readonly Shape[]
  readonly attributes: unknown
  readonly output: Shape
}

/** A product and a sum for every tap: the weights [out, in/groups, kh, kw] meet every position of the image that is produced. */
const convolution = (weights: Shape, outputImage: Shape): number => 2 * sizeOf(weights) * outputImage[0]! * sizeOf(outputImage.slice(2))

/** Arithmetic per element of the first input; a square root, exponential or division counts as one. */
const perElement =
  (count: number) =>
  ({ inputs: [x] }: OpCall): number =>
    count * sizeOf(x!)

/** Query, key, value: [batch, channels, positions]: Q^T K and its product with V, each channels x positions x positions. */
const attention = ({ inputs: [query, key] }: OpCall): number => 4 * sizeOf(query!) * key!.at(-1)!

const formulas: Readonly<Record<string, (call: OpCall) => number>> = {
  conv2d: ({ inputs: [, weights], output }) => convolution(weights!, output),
  conv2dInputGrad: ({ inputs: [outputGradient, weights] }) => convolution(weights!, outputGradient!),
  conv2dWeightGrad: ({ inputs: [, outputGradient], output }) => convolution(output, outputGradient!),
  matmul: ({ inputs: [a], output, attributes }) => {
    const { transposeA } = attributes as { readonly transposeA: boolean }
    return 2 * sizeOf(output) * a!.at(transposeA ? -2 : -1)!
  },
  attention,
  // The scores once more, and a product for each of the gradients of scores, query, key and value.
  attentionGrad: call => 2.5 * attention(call),
  // Mean 1, variance 3, normalisation 2, weight and bias 2.
  groupNorm: perElement(8),
  batchNorm: perElement(8),
  // The normalised value 2, two means of products 4, the result 4; two more sums for the gradients of weight and bias.
  groupNormInputGrad: perElement(10),
  groupNormGrad: perElement(13),
  batchNormInputGrad: perElement(10),
  batchNormGrad: perElement(13),
  // Maximum, difference, exponential, sum, quotient.
  softmax: perElement(5),
  softmaxInputGrad: perElement(4),
  sum: perElement(1),
  max: perElement(1),
  elementwise: ({ attributes, output }) => {
    const { steps } = linearise((attributes as ElementwiseAttributes).expr)
    return steps.filter(step => step.kind === 'unary' || step.kind === 'binary' || step.kind === 'select').length * sizeOf(output)
  },
}

/** Floating-point operations of a call, by the formula of its kind; 0 for ops that only move numbers. */
export const flopsOf = (call: OpCall): number => formulas[call.op.kernel ?? call.op.name]?.(call) ?? 0
