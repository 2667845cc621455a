import { add, constant, cos, div, type Expr, exp, lt, mul, neg, select, sin, sub } from './expr.ts'

const zero = constant(0)
const one = constant(1)
const half = constant(0.5)
const twoOverSqrtPi = constant(2 / Math.sqrt(Math.PI))

/** d f(x) / dx times dx. The node itself, `e`, is reused where the derivative contains f(x). */
const unaryRule = (e: Extract<Expr, { kind: 'unary' }>, dx: Expr): Expr => {
  switch (e.name) {
    case 'neg':
      return neg(dx)
    case 'abs':
      return mul(dx, sub(lt(zero, e.x), lt(e.x, zero)))
    case 'exp':
      return mul(dx, e)
    case 'log':
      return div(dx, e.x)
    case 'sqrt':
      return div(mul(half, dx), e)
    case 'sin':
      return mul(dx, cos(e.x))
    case 'cos':
      return neg(mul(dx, sin(e.x)))
    case 'tanh':
      return mul(dx, sub(one, mul(e, e)))
    case 'sigmoid':
      return mul(dx, mul(e, sub(one, e)))
    case 'erf':
      return mul(dx, mul(twoOverSqrtPi, exp(neg(mul(e.x, e.x)))))
    case 'floor':
      return zero
  }
}

const binaryRule = (e: Extract<Expr, { kind: 'binary' }>, da: Expr, db: Expr): Expr => {
  switch (e.name) {
    case 'add':
      return add(da, db)
    case 'sub':
      return sub(da, db)
    case 'mul':
      return add(mul(da, e.b), mul(e.a, db))
    case 'div':
      // (da - (a/b) db) / b
      return div(sub(da, mul(e, db)), e.b)
    case 'min':
      return select(lt(e.a, e.b), da, db)
    case 'max':
      return select(lt(e.b, e.a), da, db)
    case 'lt':
    case 'le':
    case 'eq':
      return zero
  }
}

/**
 * The partial derivative of an expression by one of its inputs, as an expression.
 *
 * Subgradients: abs'(0) = 0; at a tie `min` and `max` follow their second operand, so relu = max(x, 0) has relu'(0) = 0;
 * floor and the comparisons have derivative 0; `select` differentiates its branches and not its condition.
 * Nodes are reused and each is differentiated once, so the result has a number of nodes linear in the expression's.
 */
export const derivative = (expr: Expr, inputIndex: number): Expr => {
  const known = new Map<Expr, Expr>()
  const rule = (e: Expr): Expr => {
    switch (e.kind) {
      case 'input':
        return e.index === inputIndex ? one : zero
      case 'param':
      case 'const':
        return zero
      case 'unary': {
        const dx = visit(e.x)
        return dx.kind === 'const' && dx.value === 0 ? zero : unaryRule(e, dx)
      }
      case 'binary':
        return binaryRule(e, visit(e.a), visit(e.b))
      case 'select':
        return select(e.condition, visit(e.a), visit(e.b))
    }
  }
  const visit = (e: Expr): Expr => {
    let d = known.get(e)
    if (!d) {
      d = rule(e)
      known.set(e, d)
    }
    return d
  }
  return visit(expr)
}
