import { type Expr, input, param } from '../../expr/expr.ts'
import { type InternedExpr, intern } from '../../expr/intern.ts'
import { substitute } from '../../expr/substitute.ts'
import type { Deferred, FusibleStorage, Leaf } from './deferred.ts'

/** An operand of an elementwise op: an array to read, or a deferred computation to take in. */
export type Part =
  | { readonly kind: 'leaf'; readonly leaf: Leaf }
  | { readonly kind: 'inline'; readonly of: FusibleStorage; readonly as: Leaf['shape'] }

export type Composed = Pick<Deferred, 'leaves' | 'params'> & { readonly expr: InternedExpr }

/** Known compositions, as a tree: from the outer expression along a number for each choice down to the result. */
interface Place {
  readonly next: Map<number, Place>
  result: InternedExpr | undefined
}

const place = (): Place => ({ next: new Map(), result: undefined })
const root = place()

const step = (from: Place, choice: number): Place => {
  let to = from.next.get(choice)
  if (!to) {
    to = place()
    from.next.set(choice, to)
  }
  return to
}

const sameShape = (a: readonly number[], b: readonly number[]): boolean => {
  if (a === b) return true
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/** Position of a leaf in the list, appended when it is new. */
const positionOf = (leaves: Leaf[], { storage, shape }: Leaf): number => {
  for (let i = 0; i < leaves.length; i++) if (leaves[i]!.storage === storage && sameShape(leaves[i]!.shape, shape)) return i
  return leaves.push({ storage, shape }) - 1
}

/** A leaf of a deferred array that is viewed in another shape: what has all its elements takes that shape, the rest is one number. */
const viewed = (leaf: Leaf, of: FusibleStorage, as: Leaf['shape']): Leaf =>
  sameShape(of.deferred!.shape, as) ? leaf : { storage: leaf.storage, shape: leaf.storage.size === of.size ? as : [] }

/** Where a part's inputs and parameters went; a leaf has no expression. */
interface Wiring {
  readonly expr: InternedExpr | undefined
  readonly inputs: readonly number[]
  readonly firstParam: number
  readonly paramCount: number
}

const paramsFrom = (first: number, count: number): Expr[] => Array.from({ length: count }, (_, j) => param(first + j))

const build = (outer: InternedExpr, ownParams: number, wirings: readonly Wiring[]): InternedExpr => {
  const known = new Map<Wiring, Expr>()
  // The same wiring gives the same object, so that what is taken in twice stays shared.
  const operand = (wiring: Wiring): Expr => {
    let e = known.get(wiring)
    if (!e) {
      const { expr, inputs, firstParam, paramCount } = wiring
      e = expr ? substitute(expr.expr, inputs.map(input), paramsFrom(firstParam, paramCount)) : input(inputs[0]!)
      known.set(wiring, e)
    }
    return e
  }
  return intern(substitute(outer.expr, wirings.map(operand), paramsFrom(0, ownParams)))
}

/**
 * One expression for `outer` applied to `parts`: what is taken in is substituted, equal leaves become one input, and the
 * parameters stand one after the other. A combination seen before is found by numbers, without looking at expressions.
 */
export const compose = (outer: InternedExpr, ownParams: readonly number[], parts: readonly Part[]): Composed => {
  const leaves: Leaf[] = []
  const params = [...ownParams]
  const wirings: Wiring[] = []
  let at = step(step(root, outer.id), ownParams.length)
  parts.forEach((part, k) => {
    if (part.kind === 'leaf') {
      const position = positionOf(leaves, part.leaf)
      wirings.push({ expr: undefined, inputs: [position], firstParam: 0, paramCount: 0 })
      at = step(at, -1 - position)
      return
    }
    const before = parts.findIndex(p => p.kind === 'inline' && p.of === part.of && sameShape(p.as, part.as))
    if (before < k) {
      wirings.push(wirings[before]!)
      at = step(step(at, 0), before)
      return
    }
    const { expr, leaves: inner, params: given } = part.of.deferred!
    const inputs = inner.map(leaf => positionOf(leaves, viewed(leaf, part.of, part.as)))
    wirings.push({ expr, inputs, firstParam: params.length, paramCount: given.length })
    at = step(at, expr!.id)
    for (const position of inputs) at = step(at, -1 - position)
    at = step(at, given.length)
    params.push(...given)
  })
  at.result ??= build(outer, ownParams.length, wirings)
  return { expr: at.result, leaves, params }
}
