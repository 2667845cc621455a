import type { BinaryName, Expr, UnaryName } from './expr.ts'

/** One instruction of a linearised expression; operands are positions of earlier steps. */
export type Step =
  | { readonly kind: 'input'; readonly index: number }
  | { readonly kind: 'param'; readonly index: number }
  | { readonly kind: 'const'; readonly value: number }
  | { readonly kind: 'unary'; readonly name: UnaryName; readonly x: number }
  | { readonly kind: 'binary'; readonly name: BinaryName; readonly a: number; readonly b: number }
  | { readonly kind: 'select'; readonly condition: number; readonly a: number; readonly b: number }

export interface Linear {
  /** In order of evaluation; of a single expression the last one is the result. */
  readonly steps: readonly Step[]
  /** Position of each expression's value. */
  readonly results: readonly number[]
  /** Steps and results as text: equal text means the same function. */
  readonly key: string
}

const stepKey = (step: Step): string => {
  switch (step.kind) {
    case 'input':
      return `x${step.index}`
    case 'param':
      return `p${step.index}`
    case 'const':
      return Object.is(step.value, -0) ? '-0' : String(step.value)
    case 'unary':
      return `${step.name}(${step.x})`
    case 'binary':
      return `${step.name}(${step.a},${step.b})`
    case 'select':
      return `select(${step.condition},${step.a},${step.b})`
  }
}

/**
 * Orders the distinct sub-expressions of one or more expressions for evaluation. Equal ones become one step, so each is computed
 * once, and both time and length are linear in the number of nodes even where an expression shares nodes (its tree may be
 * exponential).
 */
export const lineariseAll = (exprs: readonly Expr[]): Linear => {
  const steps: Step[] = []
  const byKey = new Map<string, number>()
  const byNode = new Map<Expr, number>()
  const append = (step: Step): number => {
    const key = stepKey(step)
    let position = byKey.get(key)
    if (position === undefined) {
      position = steps.push(step) - 1
      byKey.set(key, position)
    }
    return position
  }
  const lower = (e: Expr): Step => {
    switch (e.kind) {
      case 'unary':
        return { kind: 'unary', name: e.name, x: visit(e.x) }
      case 'binary':
        return { kind: 'binary', name: e.name, a: visit(e.a), b: visit(e.b) }
      case 'select':
        return { kind: 'select', condition: visit(e.condition), a: visit(e.a), b: visit(e.b) }
      default:
        return e
    }
  }
  const visit = (e: Expr): number => {
    let position = byNode.get(e)
    if (position === undefined) {
      position = append(lower(e))
      byNode.set(e, position)
    }
    return position
  }
  const results = exprs.map(visit)
  const key = [...byKey.keys()].join(';')
  return { steps, results, key: exprs.length === 1 ? key : `${key} => ${results}` }
}

const known = new WeakMap<Expr, Linear>()

/** The same of a single expression, remembered. */
export const linearise = (expr: Expr): Linear => {
  let linear = known.get(expr)
  if (!linear) {
    linear = lineariseAll([expr])
    known.set(expr, linear)
  }
  return linear
}
