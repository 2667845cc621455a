/**
 * The scalar expression IR: what an elementwise op computes for one element.
 *
 * An expression is written once and emitted as JavaScript (reference), as WebAssembly SIMD (cpu) and as gpu.js source
 * (gpu). Its gradient is its symbolic derivative, which is an expression again (see derivative.ts).
 */

import { linearise } from './linear.ts'

export type UnaryName = 'neg' | 'abs' | 'exp' | 'log' | 'sqrt' | 'sin' | 'cos' | 'tanh' | 'sigmoid' | 'erf' | 'floor'
export type BinaryName = 'add' | 'sub' | 'mul' | 'div' | 'min' | 'max' | 'lt' | 'le' | 'eq'

export type Expr =
  /** The element of the i-th input. */
  | { readonly kind: 'input'; readonly index: number }
  /** The i-th scalar given with the call (a step size, a clamp bound): the same for every element. */
  | { readonly kind: 'param'; readonly index: number }
  | { readonly kind: 'const'; readonly value: number }
  | { readonly kind: 'unary'; readonly name: UnaryName; readonly x: Expr }
  /** `lt`, `le`, `eq` give 1 or 0. `min` and `max` of a NaN are NaN; of two zeros either. */
  | { readonly kind: 'binary'; readonly name: BinaryName; readonly a: Expr; readonly b: Expr }
  /** `condition != 0 ? a : b`; the branch not taken never contributes, not even a NaN. */
  | { readonly kind: 'select'; readonly condition: Expr; readonly a: Expr; readonly b: Expr }

export const input = (index: number): Expr => ({ kind: 'input', index })
export const param = (index: number): Expr => ({ kind: 'param', index })
export const constant = (value: number): Expr => ({ kind: 'const', value })

const isConst = (e: Expr, value: number): boolean => e.kind === 'const' && e.value === value

const unary =
  (name: UnaryName) =>
  (x: Expr): Expr => ({ kind: 'unary', name, x })
const binary =
  (name: BinaryName) =>
  (a: Expr, b: Expr): Expr => ({ kind: 'binary', name, a, b })

export const exp = unary('exp')
export const log = unary('log')
export const sqrt = unary('sqrt')
export const sin = unary('sin')
export const cos = unary('cos')
export const tanh = unary('tanh')
export const sigmoid = unary('sigmoid')
export const erf = unary('erf')
export const abs = unary('abs')
export const floor = unary('floor')
export const min = binary('min')
export const max = binary('max')
export const lt = binary('lt')
export const le = binary('le')
export const eq = binary('eq')

export const neg = (x: Expr): Expr => (x.kind === 'const' ? constant(-x.value) : unary('neg')(x))
export const add = (a: Expr, b: Expr): Expr => (isConst(a, 0) ? b : isConst(b, 0) ? a : binary('add')(a, b))
export const sub = (a: Expr, b: Expr): Expr => (isConst(b, 0) ? a : isConst(a, 0) ? neg(b) : binary('sub')(a, b))
export const mul = (a: Expr, b: Expr): Expr =>
  isConst(a, 0) || isConst(b, 0) ? constant(0) : isConst(a, 1) ? b : isConst(b, 1) ? a : binary('mul')(a, b)
export const div = (a: Expr, b: Expr): Expr => (isConst(a, 0) ? constant(0) : isConst(b, 1) ? a : binary('div')(a, b))
export const select = (condition: Expr, a: Expr, b: Expr): Expr =>
  a.kind === 'const' && b.kind === 'const' && a.value === b.value ? a : { kind: 'select', condition, a, b }

/** A canonical text of an expression: equal text means the same function. Used as cache key of compiled kernels. */
export const exprKey = (e: Expr): string => linearise(e).key
