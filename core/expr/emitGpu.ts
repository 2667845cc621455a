import type { BinaryName, Expr, UnaryName } from './expr.ts'
import { linearise, type Step } from './linear.ts'

/** An expression as statements of a gpu.js kernel, and the functions they call. */
export interface GpuExpression {
  readonly statements: readonly string[]
  /** The name that holds the value. */
  readonly result: string
  /** Sources of helper functions, to be given to gpu.js beside the kernel. */
  readonly functions: readonly string[]
}

export interface EmitGpuOptions {
  /** Source text of the element of the i-th input, of the i-th parameter. */
  readonly input: (index: number) => string
  readonly param: (index: number) => string
  /** Put before the number of every step's name; two expressions in one kernel need different ones. Default `v`. */
  readonly prefix?: string
}

const seriesTerms = 12

/** sum over n < terms of (-1)^n s^n / (n! (2n + 1)) by Horner's rule, as text in `s`. */
export const erfSeriesText = (): string => {
  let factorial = 1
  const coefficients = Array.from({ length: seriesTerms }, (_, n) => {
    if (n > 0) factorial *= n
    return (n % 2 === 0 ? 1 : -1) / (factorial * (2 * n + 1))
  })
  return coefficients.reduceRight((rest, c) => (rest === '' ? `(${c})` : `(${c} + s * ${rest})`), '')
}

/**
 * erf to float32: below 1 the series of Abramowitz and Stegun, 7.1.5, so that small values keep their relative accuracy;
 * above it their 7.1.26, absolute error 1.5e-7.
 */
const erfSource = `function erf(x) {
  const a = Math.abs(x);
  const s = a * a;
  const t = 1 / (1 + 0.3275911 * a);
  const tail = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  const far = 1 - tail * Math.exp(-s);
  const near = ${2 / Math.sqrt(Math.PI)} * a * ${erfSeriesText()};
  const value = a < 1 ? near : far;
  return x < 0 ? -value : value;
}`

const unaryText: Record<Exclude<UnaryName, 'sigmoid'>, (x: string) => string> = {
  neg: x => `-${x}`,
  abs: x => `Math.abs(${x})`,
  exp: x => `Math.exp(${x})`,
  log: x => `Math.log(${x})`,
  sqrt: x => `Math.sqrt(${x})`,
  sin: x => `Math.sin(${x})`,
  cos: x => `Math.cos(${x})`,
  tanh: x => `Math.tanh(${x})`,
  erf: x => `erf(${x})`,
  floor: x => `Math.floor(${x})`,
}

const binaryText: Record<BinaryName, (a: string, b: string) => string> = {
  add: (a, b) => `${a} + ${b}`,
  sub: (a, b) => `${a} - ${b}`,
  mul: (a, b) => `${a} * ${b}`,
  div: (a, b) => `${a} / ${b}`,
  min: (a, b) => `Math.min(${a}, ${b})`,
  max: (a, b) => `Math.max(${a}, ${b})`,
  lt: (a, b) => `${a} < ${b} ? 1 : 0`,
  le: (a, b) => `${a} <= ${b} ? 1 : 0`,
  eq: (a, b) => `${a} === ${b} ? 1 : 0`,
}

/**
 * The source of an expression for gpu.js, one statement per step. Undefined when it contains an infinite or undefined
 * constant, which WGSL and GLSL cannot write.
 */
export const emitGpu = (expr: Expr, { input, param, prefix = 'v' }: EmitGpuOptions): GpuExpression | undefined => {
  const { steps } = linearise(expr)
  if (steps.some(step => step.kind === 'const' && !Number.isFinite(step.value))) return undefined
  const name = (position: number): string => `${prefix}${position}`
  const text = (step: Exclude<Step, { kind: 'unary'; name: 'sigmoid' }>): string => {
    switch (step.kind) {
      case 'input':
        return input(step.index)
      case 'param':
        return param(step.index)
      case 'const':
        return `${step.value}`
      case 'unary':
        return unaryText[step.name as keyof typeof unaryText](name(step.x))
      case 'binary':
        return binaryText[step.name](name(step.a), name(step.b))
      case 'select':
        return `${name(step.condition)} !== 0 ? ${name(step.a)} : ${name(step.b)}`
    }
  }
  const statements = steps.flatMap((step, i) => {
    if (step.kind !== 'unary' || step.name !== 'sigmoid') return [`const ${name(i)} = ${text(step)};`]
    // The exponent is never positive, so exp cannot overflow.
    const e = `${prefix}e${i}`
    return [`const ${e} = Math.exp(-Math.abs(${name(step.x)}));`, `const ${name(i)} = (${name(step.x)} < 0 ? ${e} : 1) / (1 + ${e});`]
  })
  const callsErf = steps.some(step => step.kind === 'unary' && step.name === 'erf')
  return { statements, result: name(steps.length - 1), functions: callsErf ? [erfSource] : [] }
}
