import * as e from '../expr/expr.ts'
import type { Tensor } from '../tensor.ts'
import { broadcastInputs, defineElementwise, type ElementwiseTests } from './elementwise.ts'

const positive: ElementwiseTests = { inputs: choose => broadcastInputs(choose, 1, { low: 0.3, high: 3 }) }
const kinkAt = (...kinks: number[]): ElementwiseTests => ({ inputs: choose => broadcastInputs(choose, 1, { kinks }) })

const define = (name: string, build: (x: e.Expr) => e.Expr, tests?: ElementwiseTests): ((x: Tensor) => Tensor) => {
  const op = defineElementwise(name, { inputs: 1 }, ([x]) => build(x!), tests)
  return x => op([x])
}

/** -x */
export const neg = define('neg', e.neg)
/** x^2 */
export const square = define('square', x => e.mul(x, x))
/** |x|, with derivative 0 at 0. */
export const abs = define('abs', e.abs, kinkAt(0))
/** -1, 0 or 1; its derivative is 0 everywhere. */
export const sign = define('sign', x => e.sub(e.lt(e.constant(0), x), e.lt(x, e.constant(0))), kinkAt(0))
export const exp = define('exp', e.exp)
/** Natural logarithm. */
export const log = define('log', e.log, positive)
export const sqrt = define('sqrt', e.sqrt, positive)
export const sin = define('sin', e.sin)
export const cos = define('cos', e.cos)
export const tanh = define('tanh', e.tanh)
/** The error function 2/sqrt(pi) int_0^x exp(-u^2) du. */
export const erf = define('erf', e.erf)
/** The logistic function 1 / (1 + exp(-x)). */
export const sigmoid = define('sigmoid', e.sigmoid)
/** max(x, 0), with derivative 0 at 0. */
export const relu = define('relu', x => e.max(x, e.constant(0)), kinkAt(0))
/** x sigmoid(x), also called swish. */
export const silu = define('silu', x => e.mul(x, e.sigmoid(x)))
/** x Phi(x) with the exact normal distribution function Phi. */
export const gelu = define('gelu', x => e.mul(x, e.add(e.constant(0.5), e.mul(e.constant(0.5), e.erf(e.mul(x, e.constant(Math.SQRT1_2)))))))

const clampOp = defineElementwise(
  'clamp',
  { inputs: 1, params: 2 },
  ([x], [low, high]) => e.select(e.lt(x!, low!), low!, e.select(e.lt(high!, x!), high!, x!)),
  { params: [-0.5, 1], inputs: choose => broadcastInputs(choose, 1, { kinks: [-0.5, 1] }) },
)

/** x limited to [low, high]; derivative 1 on the closed interval, 0 outside. Throws when low > high. */
export const clamp = (x: Tensor, low: number, high: number): Tensor => {
  if (!(low <= high)) throw new RangeError(`clamp: low ${low} must not exceed high ${high}; swap them`)
  return clampOp([x], [low, high])
}
