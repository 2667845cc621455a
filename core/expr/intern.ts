import type { Expr } from './expr.ts'
import { linearise, type Step } from './linear.ts'

/** An expression that stands for all that compute the same: one object, one number. */
export interface InternedExpr {
  readonly id: number
  readonly expr: Expr
  /** What an element costs, in additions. */
  readonly cost: number
}

/** Additions per operation, from the instructions the cpu backend emits for it. */
const stepCost = (step: Step): number => {
  switch (step.kind) {
    case 'unary':
      return step.name === 'neg' || step.name === 'abs' || step.name === 'floor' ? 1 : step.name === 'sqrt' ? 4 : 16
    case 'binary':
      return step.name === 'div' ? 4 : 1
    case 'select':
      return 1
    default:
      return 0
  }
}

const byObject = new WeakMap<Expr, InternedExpr>()
const byKey = new Map<string, InternedExpr>()

/** Finds an expression's interned form: by the object where it was seen before, else by its text. */
export const intern = (expr: Expr): InternedExpr => {
  const known = byObject.get(expr)
  if (known) return known
  const { key, steps } = linearise(expr)
  let interned = byKey.get(key)
  if (!interned) {
    interned = { id: byKey.size + 1, expr, cost: steps.reduce((sum, step) => sum + stepCost(step), 0) }
    byKey.set(key, interned)
  }
  byObject.set(expr, interned)
  return interned
}
