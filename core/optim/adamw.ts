import { add, div, input, mul, param, sqrt, sub } from '../expr/expr.ts'
import { ops, tidy, zeros } from '../index.ts'
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

const secondMoment = add(mul(param(0), input(0)), mul(param(1), mul(input(1), input(1))))
// p keep - size m / (sqrt(v) rootCorrection + epsilon), the scalars being param 0..3.
const step = sub(mul(param(0), input(0)), div(mul(param(1), input(1)), add(mul(sqrt(input(2)), param(2)), param(3))))

/**
 * AdamW (Loshchilov and Hutter 2019), in PyTorch's form. At update t = 1, 2, ...:
 * m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2;
 * p = (1 - learningRate weightDecay) p - learningRate m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon).
 * Three kernels per parameter. With weightDecay 0 it is Adam.
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
        const scalars = [1 - rate * weightDecay, rate / (1 - beta1 ** t), 1 / Math.sqrt(1 - beta2 ** t), epsilon]
        const first = mapRecord(params, (name, x) =>
          ops.addScaled(state.firstMoment[name]!, beta1, gradientOf('adamw', gradients, name, x), 1 - beta1),
        )
        const second = mapRecord(params, name =>
          ops.elementwise([state.secondMoment[name]!, gradients[name]!], { expr: secondMoment, params: [beta2, 1 - beta2] }),
        )
        const next = mapRecord(params, (name, x) => ops.elementwise([x, first[name]!, second[name]!], { expr: step, params: scalars }))
        return { params: next, state: { step: t, firstMoment: first, secondMoment: second } }
      }),
  }
}
