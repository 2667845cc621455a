import type { Expr } from './expr.ts'

/**
 * The expression with its inputs and parameters replaced: input i by `inputs[i]`, parameter j by `params[j]`.
 *
 * Nothing is simplified, so every operation of the parts is still computed and rounded as before: 0 * x stays the
 * product it is, which is NaN for an infinite x. Shared nodes stay shared.
 */
export const substitute = (expr: Expr, inputs: readonly Expr[], params: readonly Expr[]): Expr => {
  const known = new Map<Expr, Expr>()
  const replace = (e: Expr): Expr => {
    switch (e.kind) {
      case 'input':
        return inputs[e.index]!
      case 'param':
        return params[e.index]!
      case 'const':
        return e
      case 'unary':
        return { ...e, x: visit(e.x) }
      case 'binary':
        return { ...e, a: visit(e.a), b: visit(e.b) }
      case 'select':
        return { ...e, condition: visit(e.condition), a: visit(e.a), b: visit(e.b) }
    }
  }
  const visit = (e: Expr): Expr => {
    let replaced = known.get(e)
    if (!replaced) {
      replaced = replace(e)
      known.set(e, replaced)
    }
    return replaced
  }
  return visit(expr)
}
