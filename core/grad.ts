import { dispose, tidy } from './memory.ts'
import { add } from './ops/arithmetic.ts'
import { formatShape, sameShape } from './shape.ts'
import { attachNode, isRecording, type Node, notRecording, recording } from './tape.ts'
import { alias, full, type Tensor } from './tensor.ts'
import { mapTensors, type Tree, tensorsOf } from './tree.ts'

/**
 * Reverse-mode automatic differentiation. Gradients are computed by public ops, so they can be differentiated again:
 * `grad(x => grad(f)(x).mul(v).sum())` is a Hessian-vector product.
 */

/** A new tensor for the same values with no history: gradients stop here. */
export const stopGradient = (x: Tensor): Tensor => alias(x)

/** A fresh leaf for the inner trace; when an outer trace is active it stays connected to it as an identity. */
const leaf = (x: Tensor): Tensor => {
  const fresh = alias(x)
  attachNode(fresh, 'leaf', x.node ? [x] : [], dy => (x.node ? [() => dy] : []))
  return fresh
}

/** Nodes on a path from `output` down to one of `leaves`, latest first. */
const pathNodes = (output: Tensor, leaves: readonly Tensor[]): Node[] => {
  const stop = new Set(leaves.map(x => x.node!.id))
  const lowest = Math.min(...stop)
  const seen = new Map<number, Node>()
  const stack = output.node ? [output.node] : []
  while (stack.length > 0) {
    const node = stack.pop()!
    if (seen.has(node.id) || node.id < lowest) continue
    seen.set(node.id, node)
    if (stop.has(node.id)) continue
    for (const input of node.inputs) if (input.node) stack.push(input.node)
  }
  const ascending = [...seen.values()].sort((a, b) => a.id - b.id)
  const needed = new Set<number>()
  for (const node of ascending) {
    if (stop.has(node.id) || node.inputs.some(input => input.node && needed.has(input.node.id))) needed.add(node.id)
  }
  return ascending.filter(node => needed.has(node.id)).reverse()
}

/**
 * Gradients of sum(output * seed) for each leaf. Outside every other trace, a node's output and gradient are freed as
 * soon as the node is done, which keeps the peak at the forward pass's own.
 */
const backward = (output: Tensor, seed: Tensor, leaves: readonly Tensor[], retained: ReadonlySet<Tensor>): Tensor[] => {
  const nodes = pathNodes(output, leaves)
  const onPath = new Set(nodes.map(node => node.id))
  const gradients = new Map<number, Tensor>()
  const freely = !isRecording()
  if (output.node && onPath.has(output.node.id)) gradients.set(output.node.id, seed)
  const stop = new Set(leaves.map(x => x.node!.id))
  for (const node of nodes) {
    if (stop.has(node.id)) continue
    const outputGradient = gradients.get(node.id)
    if (!outputGradient) continue
    gradients.delete(node.id)
    const fresh = tidy(() => {
      const thunks = node.gradient(outputGradient)
      return node.inputs.map((input, i) => {
        const thunk = thunks[i]
        if (!thunk || !input.node || !onPath.has(input.node.id)) return null
        const given = thunk()
        // A rule may hand its outputGradient through; each entry needs a tensor of its own, since entries are freed singly.
        const gradient = freely && given === outputGradient ? alias(given) : given
        if (!sameShape(gradient.shape, input.shape)) {
          throw new Error(
            `gradient of ${node.name}: input ${i} has shape ${formatShape(input.shape)} but its gradient ${formatShape(gradient.shape)}; mend the op's gradient rule`,
          )
        }
        const before = gradients.get(input.node.id)
        if (!before) {
          gradients.set(input.node.id, gradient)
          return gradient
        }
        const total = add(before, gradient)
        gradients.set(input.node.id, total)
        if (freely && before !== seed) before.dispose()
        return total
      })
    })
    if (freely) {
      const inUse = new Set(fresh)
      if (outputGradient !== seed && !inUse.has(outputGradient)) outputGradient.dispose()
      if (!retained.has(node.output)) node.output.dispose()
    }
  }
  return leaves.map(x => gradients.get(x.node!.id) ?? full(x.shape, 0, { backend: x.backend }))
}

export interface ValueAndGrad<A, Aux> {
  readonly value: Tensor
  /** Same structure as the argument. */
  readonly gradient: A
  readonly aux: Aux
}

/**
 * `valueAndGrad(f)(x)`: the scalar f(x) and its gradient, in the structure of x (a tensor, or arrays and records).
 * `f` may return `[loss, aux]`; aux (any structure) is handed through without a gradient.
 * Throws when f does not return a scalar.
 */
export const valueAndGrad =
  <A extends Tree, Aux = undefined>(f: (x: A) => Tensor | readonly [Tensor, Aux]) =>
  (x: A): ValueAndGrad<A, Aux> =>
    tidy(() => {
      const { leaves, result } = traced(() => f, x)
      const [value, aux] = Array.isArray(result) ? (result as readonly [Tensor, Aux]) : [result as Tensor, undefined as Aux]
      if (value.size !== 1) {
        throw new Error(
          `grad: the function must return a scalar, got shape ${formatShape(value.shape)}; take its sum() or mean(), or use vjp`,
        )
      }
      const seed = full(value.shape, 1, { backend: value.backend })
      const retained = new Set([value, ...tensorsOf(aux)])
      const gradients = backward(value, seed, tensorsOf(leaves), retained)
      if (!isRecording()) for (const tensor of retained) tensor.node = undefined
      return { value, gradient: rebuild(x, gradients), aux }
    })

/** `grad(f)(x)`: the gradient alone. */
export const grad =
  <A extends Tree>(f: (x: A) => Tensor) =>
  (x: A): A => {
    const { value, gradient } = valueAndGrad(f)(x)
    if (!isRecording()) dispose(value)
    return gradient
  }

/** `vjp(f, x)`: f(x) and the pullback u -> J^T u. The pullback may be called once; it frees the trace. */
export const vjp = <A extends Tree>(f: (x: A) => Tensor, x: A): { value: Tensor; pullback: (u: Tensor) => A } => {
  const { leaves, result } = traced(() => f, x)
  const list = tensorsOf(leaves)
  return {
    value: alias(result as Tensor),
    pullback: u => {
      const output = result as Tensor
      if (!sameShape(u.shape, output.shape)) {
        throw new Error(`vjp: the cotangent has shape ${formatShape(u.shape)}, the output ${formatShape(output.shape)}; they must be equal`)
      }
      const gradients = tidy(() => backward(output, u, list, new Set(list)))
      if (isRecording()) return rebuild(x, gradients)
      dispose(list)
      // The gradient of the identity is u itself, which stays the caller's.
      return rebuild(
        x,
        gradients.map(gradient => (gradient === u ? alias(u) : gradient)),
      )
    },
  }
}

const traced = <A extends Tree, R>(f: () => (x: A) => R, x: A): { leaves: A; result: R } => {
  const leaves = mapTensors(x, leaf)
  return { leaves, result: recording(() => f()(leaves)) }
}

const rebuild = <A extends Tree>(like: A, tensors: readonly Tensor[]): A => {
  let next = 0
  return mapTensors(like, () => tensors[next++]!)
}

/**
 * `checkpoint(f)(...xs)`: f(...xs), keeping only the arguments; the backward pass computes f again. Exactly the same
 * gradient for one more forward pass of f. Every tensor that needs a gradient must be an argument.
 */
export const checkpoint =
  (f: (...xs: Tensor[]) => Tensor) =>
  (...xs: Tensor[]): Tensor => {
    if (!isRecording() || !xs.some(x => x.node)) return tidy(() => f(...xs))
    const output = notRecording(() => tidy(() => alias(f(...xs.map(stopGradient)))))
    attachNode(output, 'checkpoint', xs, dy => {
      let gradients: readonly Tensor[] | undefined
      const compute = (): readonly Tensor[] => {
        gradients ??= vjp((args: readonly Tensor[]) => f(...args), xs).pullback(dy)
        return gradients
      }
      return xs.map((_, i) => () => compute()[i]!)
    })
    return output
  }
