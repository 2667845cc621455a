import { erf } from './erf.ts'
import type { BinaryName, Expr, UnaryName } from './expr.ts'
import { linearise, type Step } from './linear.ts'

export type NumberArray = Float32Array | Float64Array | Int32Array

/** 1 / (1 + exp(-x)), written so that exp never overflows. */
const sigmoid = (x: number): number => {
  const e = Math.exp(-Math.abs(x))
  return (x < 0 ? e : 1) / (1 + e)
}

const unaryFunctions: Record<UnaryName, (x: number) => number> = {
  neg: x => -x,
  abs: Math.abs,
  exp: Math.exp,
  log: Math.log,
  sqrt: Math.sqrt,
  sin: Math.sin,
  cos: Math.cos,
  tanh: Math.tanh,
  sigmoid,
  erf,
  floor: Math.floor,
}

const binaryFunctions: Record<BinaryName, (a: number, b: number) => number> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  min: Math.min,
  max: Math.max,
  lt: (a, b) => Number(a < b),
  le: (a, b) => Number(a <= b),
  eq: (a, b) => Number(a === b),
}

/** The value of an expression in double precision; `inputs[i]` is the element of the i-th input. The meaning of the IR. */
export const evaluate = (expr: Expr, inputs: readonly number[], params: readonly number[] = []): number => {
  const values: number[] = []
  for (const step of linearise(expr).steps) {
    switch (step.kind) {
      case 'input':
        values.push(inputs[step.index]!)
        break
      case 'param':
        values.push(params[step.index]!)
        break
      case 'const':
        values.push(step.value)
        break
      case 'unary':
        values.push(unaryFunctions[step.name](values[step.x]!))
        break
      case 'binary':
        values.push(binaryFunctions[step.name](values[step.a]!, values[step.b]!))
        break
      case 'select':
        values.push(values[step.condition] !== 0 ? values[step.a]! : values[step.b]!)
        break
    }
  }
  return values.at(-1)!
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

const stepText = (step: Step): string => {
  switch (step.kind) {
    case 'input':
      return `x${step.index}[j${step.index}]`
    case 'param':
      return `params[${step.index}]`
    case 'const':
      return Object.is(step.value, -0) ? '-0' : String(step.value)
    case 'unary':
      if (step.name === 'neg') return `-v${step.x}`
      if (step.name === 'sigmoid' || step.name === 'erf') return `${step.name}(v${step.x})`
      return `Math.${step.name}(v${step.x})`
    case 'binary':
      return binaryText[step.name](`v${step.a}`, `v${step.b}`)
    case 'select':
      return `v${step.condition} !== 0 ? v${step.a} : v${step.b}`
  }
}

/** One row: output[o + i] for i < n, where input k is read at offsets[k] + i strides[k]. */
type Row = (
  inputs: readonly NumberArray[],
  offsets: readonly number[],
  strides: readonly number[],
  output: NumberArray,
  o: number,
  n: number,
  params: readonly number[],
) => void

const compileRow = (expr: Expr, inputCount: number): Row => {
  const each = (text: (k: number) => string) => Array.from({ length: inputCount }, (_, k) => text(k)).join(' ')
  const { steps } = linearise(expr)
  const body = `
    ${each(k => `const x${k} = inputs[${k}], d${k} = strides[${k}]; let j${k} = offsets[${k}];`)}
    for (let i = 0; i < n; i++) {
      ${steps.map((step, i) => `const v${i} = ${stepText(step)}`).join('\n      ')}
      output[o + i] = v${steps.length - 1}
      ${each(k => `j${k} += d${k};`)}
    }`
  const make = new Function('sigmoid', 'erf', `return (inputs, offsets, strides, output, o, n, params) => {${body}\n}`)
  return make(sigmoid, erf) as Row
}

/**
 * Compiles an expression to a JavaScript loop over arrays, in double precision and rounded where it is stored.
 *
 * `strides[k][axis]` is how far input k moves along an axis of `shape`, in elements, 0 where it is broadcast; the output
 * is contiguous and row-major. Any rank; a contiguous call is a single pass.
 */
export const compileElementwise = (
  expr: Expr,
  inputCount: number,
): ((
  inputs: readonly NumberArray[],
  strides: readonly (readonly number[])[],
  shape: readonly number[],
  output: NumberArray,
  params?: readonly number[],
) => void) => {
  const row = compileRow(expr, inputCount)
  return (inputs, strides, shape, output, params = []) => {
    // The innermost axes over which every input moves evenly form one row.
    let axis = shape.length - 1
    let n = axis < 0 ? 1 : shape[axis]!
    const innerStrides = strides.map(s => s[shape.length - 1] ?? 0)
    while (axis > 0 && strides.every((s, k) => s[axis - 1] === innerStrides[k]! * n)) n *= shape[--axis]!
    const total = shape.reduce((product, size) => product * size, 1)
    const offsets = strides.map(() => 0)
    const position = shape.slice(0, Math.max(axis, 0)).fill(0)
    for (let o = 0; o < total; o += n) {
      row(inputs, offsets, innerStrides, output, o, n, params)
      for (let i = position.length - 1; i >= 0; i--) {
        position[i]!++
        const wrapped = position[i] === shape[i]!
        for (let k = 0; k < offsets.length; k++) offsets[k]! += strides[k]![i]! * (wrapped ? 1 - shape[i]! : 1)
        if (!wrapped) break
        position[i] = 0
      }
    }
  }
}
