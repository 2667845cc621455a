import fc from 'fast-check'
import * as E from '../../../core/expr/expr.ts'

export const unaries = [E.neg, E.abs, E.exp, E.log, E.sqrt, E.sin, E.cos, E.tanh, E.sigmoid, E.erf, E.floor]
export const smoothUnaries = [
  E.neg,
  E.sin,
  E.cos,
  E.tanh,
  E.sigmoid,
  E.erf,
  (x: E.Expr) => E.exp(E.tanh(x)),
  (x: E.Expr) => E.log(E.exp(x)),
]
export const binaries = [E.add, E.sub, E.mul, E.div, E.min, E.max, E.lt, E.le, E.eq]

/**
 * Random expressions of two inputs and one parameter. Each new node takes its operands among all earlier nodes, so
 * nodes are shared; the last node is the expression.
 */
export const expressions = (
  unaryChoices: readonly ((x: E.Expr) => E.Expr)[],
  binaryChoices: readonly ((a: E.Expr, b: E.Expr) => E.Expr)[],
): fc.Arbitrary<E.Expr> => {
  const node = fc.record({ kind: fc.nat(2), choice: fc.nat(999), a: fc.nat(999), b: fc.nat(999), c: fc.nat(999) })
  return fc.array(node, { minLength: 1, maxLength: 10 }).map(plan => {
    const nodes = [E.input(0), E.input(1), E.param(0), E.constant(1.5)]
    for (const { kind, choice, a, b, c } of plan) {
      // Prefer late nodes, so that the expression grows deep.
      const pick = (i: number) => nodes[nodes.length - 1 - (i % Math.min(nodes.length, 4))]!
      if (kind === 0) nodes.push(unaryChoices[choice % unaryChoices.length]!(pick(a)))
      else if (kind === 1) nodes.push(binaryChoices[choice % binaryChoices.length]!(pick(a), pick(b)))
      else nodes.push(E.select(E.lt(pick(a), pick(b)), pick(b), pick(c)))
    }
    return nodes.at(-1)!
  })
}
