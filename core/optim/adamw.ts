import { add, div, type Expr, input, mul, param, sqrt, sub } from '../expr/expr.ts'
import { ops, type Tensor, tidy, zeros } from '../index.ts'
import {
  gradientOf,
  type LearningRate,
  learningRateAt,
  mapRecord,
  type Optimizer,
  type OptimizerState,
  type TensorRecord,
} from './optimizer.ts'

export interface AdamwOptions {
  readonly learningRate: LearningRate
  /** Decay of the first and second moment. Default 0.9, 0.999. */
  readonly betas?: readonly [number, number]
  /** Added to the root of the second moment. Default 1e-8. */
  readonly epsilon?: number
  /** Decoupled: the parameter shrinks by learningRate * weightDecay per step. Default 0.01. */
  readonly weightDecay?: number
}

export interface AdamwState extends OptimizerState {
  readonly firstMoment: TensorRecord
  readonly secondMoment: TensorRecord
}

const [p, g, m, v] = [input(0), input(1), input(2), input(3)]
const [decay1, rest1, decay2, rest2] = [param(0), param(1), param(2), param(3)]
const [keep, size, rootCorrection, smallest] = [param(4), param(5), param(6), param(7)]
const first = add(mul(m, decay1), mul(g, rest1))
const second = add(mul(decay2, v), mul(rest2, mul(g, g)))
const next = sub(mul(keep, p), div(mul(size, first), add(mul(sqrt(second), rootCorrection), smallest)))
/** In the order in which `update` takes them apart. */
const results: readonly Expr[] = [next, first, second]

/**
 * AdamW (Loshchilov and Hutter 2019), in PyTorch's form. At update t = 1, 2, ...:
 * m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2;
 * p = (1 - learningRate weightDecay) p - learningRate m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon).
 * One pass over each parameter where the backend can write three arrays at once. With weightDecay 0 it is Adam.
 */
export const adamw = (o: AdamwOptions): Optimizer<AdamwState> => {
  const { betas = [0.9, 0.999], epsilon = 1e-8, weightDecay = 0.01 } = o
  const [beta1, beta2] = betas
  return {
    init: params => {
      const zero = () => mapRecord(params, (_, x) => zeros(x.shape, { backend: x.backend }))
      return { step: 0, firstMoment: zero(), secondMoment: zero() }
    },
    update: (params, gradients, state) =>
      tidy(() => {
        const t = state.step + 1
        const rate = learningRateAt(o.learningRate, state.step)
        const corrected = [1 - rate * weightDecay, rate / (1 - beta1 ** t), 1 / Math.sqrt(1 - beta2 ** t), epsilon]
        const attributes = { exprs: results, params: [beta1, 1 - beta1, beta2, 1 - beta2, ...corrected] }
        const of: Record<string, Tensor[]> = {}
        for (const [name, x] of Object.entries(params)) {
          const gradient = gradientOf('adamw', gradients, name, x)
          of[name] = ops.elementwiseAll([x, gradient, state.firstMoment[name]!, state.secondMoment[name]!], attributes)
        }
        const updated = (i: number) => mapRecord(params, name => of[name]![i]!)
        return { params: updated(0), state: { step: t, firstMoment: updated(1), secondMoment: updated(2) } }
      }),
  }
}
