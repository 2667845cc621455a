import { erfSeriesText } from './emitGpu.ts'
import type { BinaryName, Expr, UnaryName } from './expr.ts'
import { lineariseAll, type Step } from './linear.ts'

/** Expressions as WGSL statements, and the functions they call. */
export interface WgslExpressions {
  readonly statements: readonly string[]
  /** The names that hold the values. */
  readonly results: readonly string[]
  readonly functions: readonly string[]
}

/** A single one. */
export type WgslExpression = Omit<WgslExpressions, 'results'> & { readonly result: string }

export interface EmitWgslOptions {
  /** Type of the values: one element, or four at a time. */
  readonly type: 'f32' | 'vec4<f32>'
  /** Source text of the i-th input and of the i-th parameter, both of that type. */
  readonly input: (index: number) => string
  readonly param: (index: number) => string
  /** Put before the number of every step's name. Default `v`. */
  readonly prefix?: string
}

/** The same approximations as in gpu.js source (see emitGpu.ts). The exponents are never positive, so exp cannot overflow. */
const functionText = (name: 'erf' | 'sigmoid', T: string): string =>
  name === 'sigmoid'
    ? `fn logistic(x : ${T}) -> ${T} {
  let e = exp(-abs(x));
  return select(${T}(1.0), e, x < ${T}(0.0)) / (${T}(1.0) + e);
}`
    : `fn erf(x : ${T}) -> ${T} {
  let a = abs(x);
  let s = a * a;
  let t = ${T}(1.0) / (1.0 + 0.3275911 * a);
  let tail = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  let near = ${2 / Math.sqrt(Math.PI)} * a * ${erfSeriesText()};
  let value = select(1.0 - tail * exp(-s), near, a < ${T}(1.0));
  return select(value, -value, x < ${T}(0.0));
}`

/** Beyond this tanh is 1 in float32; drivers compute it from exp, which overflows for large arguments. */
const tanhLimit = 15

const unaryText = (name: UnaryName, x: string, T: string): string => {
  if (name === 'neg') return `-${x}`
  if (name === 'sigmoid') return `logistic(${x})`
  return name === 'tanh' ? `tanh(clamp(${x}, ${T}(-${tanhLimit}.0), ${T}(${tanhLimit}.0)))` : `${name}(${x})`
}

const symbols: Record<Exclude<BinaryName, 'min' | 'max'>, string> = { add: '+', sub: '-', mul: '*', div: '/', lt: '<', le: '<=', eq: '==' }

const binaryText = (name: BinaryName, [a, b]: readonly [string, string], T: string): string => {
  if (name === 'min' || name === 'max') return `${name}(${a}, ${b})`
  const text = `${a} ${symbols[name]} ${b}`
  return name === 'lt' || name === 'le' || name === 'eq' ? `select(${T}(0.0), ${T}(1.0), ${text})` : text
}

/**
 * The source of expressions in WGSL, one statement per step. Undefined when one contains a constant beyond float32, which
 * WGSL cannot write. The compiler may join a product and a sum into one rounding, so the last bit depends on the driver.
 */
export const emitWgslAll = (exprs: readonly Expr[], { type, input, param, prefix = 'v' }: EmitWgslOptions): WgslExpressions | undefined => {
  const { steps, results } = lineariseAll(exprs)
  if (steps.some(step => step.kind === 'const' && !Number.isFinite(Math.fround(step.value)))) return undefined
  const name = (position: number): string => `${prefix}${position}`
  const text = (step: Step): string => {
    switch (step.kind) {
      case 'input':
        return input(step.index)
      case 'param':
        return param(step.index)
      case 'const':
        return `${type}(${Math.fround(step.value)})`
      case 'unary':
        return unaryText(step.name, name(step.x), type)
      case 'binary':
        return binaryText(step.name, [name(step.a), name(step.b)], type)
      case 'select':
        return `select(${name(step.b)}, ${name(step.a)}, ${name(step.condition)} != ${type}(0.0))`
    }
  }
  const calls = (called: UnaryName): boolean => steps.some(step => step.kind === 'unary' && step.name === called)
  return {
    statements: steps.map((step, i) => `let ${name(i)} = ${text(step)};`),
    results: results.map(name),
    functions: (['erf', 'sigmoid'] as const).filter(calls).map(called => functionText(called, type)),
  }
}

/** The same of one expression. */
export const emitWgsl = (expr: Expr, options: EmitWgslOptions): WgslExpression | undefined => {
  const emitted = emitWgslAll([expr], options)
  return emitted && { ...emitted, result: emitted.results[0]! }
}
