import { add, type Expr, input, mul, param, sub } from '../expr/expr.ts'
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

export interface SgdOptions {
  readonly learningRate: LearningRate
  /** Default 0. */
  readonly momentum?: number
  /** Steps along gradient + momentum * velocity instead of the velocity. Default false. */
  readonly nesterov?: boolean
  /** Coefficient of the L2 penalty, added to the gradient. Default 0. */
  readonly weightDecay?: number
}

export interface SgdState extends OptimizerState {
  readonly velocity: TensorRecord
}

const [p, g, v] = [input(0), input(1), input(2)]
const [rate, momentum, decay] = [param(0), param(1), param(2)]
const decayed = add(g, mul(decay, p))
const velocity: Expr = add(mul(momentum, v), decayed)
// Written with the new velocity as input 2.
const plainStep: Expr = sub(p, mul(rate, v))
const nesterovStep: Expr = sub(p, mul(rate, add(decayed, mul(momentum, v))))

/**
 * Stochastic gradient descent with momentum, in PyTorch's form:
 * g' = g + weightDecay p; v = momentum v + g'; p = p - learningRate v, or p - learningRate (g' + momentum v) with Nesterov.
 * Two kernels per parameter.
 */
export const sgd = (o: SgdOptions): Optimizer<SgdState> => ({
  init: params => ({ step: 0, velocity: mapRecord(params, (_, x) => zeros(x.shape, { backend: x.backend })) }),
  update: (params, gradients, state) =>
    tidy(() => {
      const scalars = [learningRateAt(o.learningRate, state.step), o.momentum ?? 0, o.weightDecay ?? 0]
      const run = (name: string, third: TensorRecord, expr: Expr) => {
        const x = params[name]!
        return ops.elementwise([x, gradientOf('sgd', gradients, name, x), third[name]!], { expr, params: scalars })
      }
      const next = mapRecord(params, name => run(name, state.velocity, velocity))
      const step = o.nesterov ? nesterovStep : plainStep
      return { params: mapRecord(params, name => run(name, next, step)), state: { step: state.step + 1, velocity: next } }
    }),
})
