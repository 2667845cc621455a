import { apply } from '../apply.ts'
import { derivative } from '../expr/derivative.ts'
import { compileElementwise } from '../expr/emitJs.ts'
import { type Expr, exprKey, input, mul, param } from '../expr/expr.ts'
import { type Choose, defineOp, type OpDefinition, type TestInput } from '../op.ts'
import { broadcastShapes, broadcastStrides, type Shape } from '../shape.ts'
import type { Tensor } from '../tensor.ts'
import { sumTo } from './sum.ts'

/** Attributes of an elementwise op: what it computes for one element, and the scalars given with the call. */
export interface ElementwiseAttributes {
  readonly expr: Expr
  readonly params: readonly number[]
}

const compiled = new Map<string, ReturnType<typeof compileElementwise>>()

/** dy * d expr / d x_i as an expression whose last input is dy, or what makes an expression needless. */
type Chained = Expr | 'zero' | 'identity'

const chainedDerivatives = new WeakMap<Expr, Map<number, Chained>>()

const chain = (expr: Expr, i: number, inputCount: number): Chained => {
  const local = derivative(expr, i)
  if (local.kind === 'const' && local.value === 0) return 'zero'
  return local.kind === 'const' && local.value === 1 ? 'identity' : mul(local, input(inputCount))
}

/** Each is derived once and then the same object, by which backends find the kernel compiled for it. */
const chainedDerivative = (expr: Expr, i: number, inputCount: number): Chained => {
  let known = chainedDerivatives.get(expr)
  if (!known) {
    known = new Map()
    chainedDerivatives.set(expr, known)
  }
  const place = i + inputCount * 2 ** 16
  let chained = known.get(place)
  if (!chained) {
    chained = chain(expr, i, inputCount)
    known.set(place, chained)
  }
  return chained
}

const rules = (name: string): Omit<OpDefinition<ElementwiseAttributes>, 'domain'> => ({
  name,
  kernel: 'elementwise',
  shape: shapes => broadcastShapes(name, ...shapes),
  define(inputs, output, { expr, params }) {
    const key = `${inputs.length}:${exprKey(expr)}`
    let run = compiled.get(key)
    if (!run) {
      run = compileElementwise(expr, inputs.length)
      compiled.set(key, run)
    }
    run(
      inputs.map(x => x.values),
      inputs.map(x => broadcastStrides(x.shape, output.shape)),
      output.shape,
      output.values,
      params,
    )
  },
  // d/dx_i = sum over the stretched dimensions of outputGradient * (the symbolic derivative of the expression).
  gradient: ({ inputs, attributes: { expr, params }, outputGradient }) =>
    inputs.map((x, i) => {
      const chained = chainedDerivative(expr, i, inputs.length)
      if (chained === 'zero') return null
      if (chained === 'identity') return () => sumTo(outputGradient, x.shape)
      return () => sumTo(elementwise([...inputs, outputGradient], { expr: chained, params }), x.shape)
    }),
})

const anonymous: OpDefinition<ElementwiseAttributes> = {
  ...rules('elementwise'),
  domain: choose => ({ inputs: broadcastInputs(choose, 2), attributes: { expr: mul(input(0), input(1)), params: [] } }),
}

/** Applies an expression element by element, with broadcasting. */
export const elementwise = (inputs: readonly Tensor[], attributes: ElementwiseAttributes): Tensor => apply(anonymous, inputs, attributes)

/** Random shapes that broadcast together, of rank up to 4, some dimensions stretched. */
export const broadcastInputs = (choose: Choose, count: number, range: Omit<TestInput, 'shape'> = {}): TestInput[] => {
  const rank = choose.integer(0, 4)
  const shape = Array.from({ length: rank }, () => choose.integer(1, 5))
  return Array.from({ length: count }, (_, i): TestInput => {
    if (i === 0) return { ...range, shape }
    const skipped = choose.integer(0, rank)
    const own: Shape = shape.slice(skipped).map(length => (choose.integer(0, 3) === 0 ? 1 : length))
    return { ...range, shape: own }
  })
}

export interface ElementwiseTests {
  /** Test inputs; default: broadcasting shapes with values in [-2, 2]. */
  readonly inputs?: (choose: Choose) => TestInput[]
  readonly params?: readonly number[]
}

/**
 * Defines a named elementwise op from one expression of `inputCount` inputs and `paramCount` scalars. The laws test it
 * under its name; all elementwise ops share one kernel per backend.
 */
export const defineElementwise = (
  name: string,
  counts: { readonly inputs: number; readonly params?: number },
  build: (x: Expr[], p: Expr[]) => Expr,
  tests: ElementwiseTests = {},
): ((inputs: readonly Tensor[], params?: readonly number[]) => Tensor) => {
  const expr = build(
    Array.from({ length: counts.inputs }, (_, i) => input(i)),
    Array.from({ length: counts.params ?? 0 }, (_, i) => param(i)),
  )
  const op = defineOp<ElementwiseAttributes>({
    ...rules(name),
    domain: choose => ({
      inputs: tests.inputs?.(choose) ?? broadcastInputs(choose, counts.inputs),
      attributes: { expr, params: tests.params ?? [] },
    }),
  })
  return (inputs, params = []) => apply(op, inputs, { expr, params })
}

/**
 * A fused elementwise function written by the caller, run as one kernel:
 * `fused((a, b) => mul(a, sigmoid(b)))(x, y)`.
 */
export const fused = (build: (...x: Expr[]) => Expr): ((...inputs: Tensor[]) => Tensor) => {
  const byCount = new Map<number, Expr>()
  return (...inputs) => {
    let expr = byCount.get(inputs.length)
    if (!expr) {
      expr = build(...inputs.map((_, i) => input(i)))
      byCount.set(inputs.length, expr)
    }
    return elementwise(inputs, { expr, params: [] })
  }
}
