import { bundled, dispose, tidy } from './memory.ts'
import { add } from './ops/arithmetic.ts'
import { formatShape, sameShape } from './shape.ts'
import { attachNode, isRecording, type Node, notRecording, pullBack, recording, refuseTraced } from './tape.ts'
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
  refuseTraced('grad', [x])
  const fresh = alias(x)
  attachNode(fresh, 'leaf', x.node ? [x] : [], dy => (x.node ? [() => dy] : []))
  return fresh
}

let passes = 0

/** Whether the node lies on a path of this backward pass. */
const isNeeded = (node: Node | undefined, pass: number): node is Node => node !== undefined && node.pass === pass && node.needed

/**
 * Nodes on a path from `output` down to one of `leaves`, latest first, without the leaves. They and the leaves carry the
 * number of the pass, so that a pass needs no tables: its nodes are those of its own trace, which no other pass walks
 * meanwhile.
 */
const pathNodes = (output: Tensor, leaves: readonly Tensor[], pass: number): Node[] => {
  let lowest = Number.POSITIVE_INFINITY
  for (const { node } of leaves) {
    Object.assign(node!, { pass, needed: true, cotangent: undefined })
    lowest = Math.min(lowest, node!.id)
  }
  const reached: Node[] = []
  const reach = (node: Node | undefined): void => {
    if (!node || node.pass === pass || node.id < lowest) return
    node.pass = pass
    node.needed = false
    node.cotangent = undefined
    reached.push(node)
  }
  reach(output.node)
  for (let i = 0; i < reached.length; i++) for (const input of reached[i]!.inputs) reach(input.node)
  reached.sort((a, b) => b.id - a.id)
  for (let i = reached.length - 1; i >= 0; i--) {
    const node = reached[i]!
    for (const input of node.inputs) if (isNeeded(input.node, pass)) node.needed = true
  }
  return reached.filter(node => node.needed)
}

/**
 * Gradients of sum(output * seed) for each leaf. Outside every other trace, a node's output and gradient are freed as
 * soon as the node is done, which keeps the peak at the forward pass's own; what `keep` took out of every scope stays.
 */
const backward = (output: Tensor, seed: Tensor, leaves: readonly Tensor[], retained: ReadonlySet<Tensor>): Tensor[] => {
  const pass = ++passes
  const nodes = pathNodes(output, leaves, pass)
  const freely = !isRecording()
  if (isNeeded(output.node, pass)) output.node.cotangent = seed
  /** Hands gradients to the node's inputs; those that are new, and stay. */
  const propagate = (node: Node, outputGradient: Tensor): Tensor[] => {
    const thunks = node.gradient(outputGradient)
    const fresh: Tensor[] = []
    for (let i = 0; i < node.inputs.length; i++) {
      const input = node.inputs[i]!
      const thunk = thunks[i]
      if (!thunk || !isNeeded(input.node, pass)) continue
      const given = thunk()
      if (!sameShape(given.shape, input.shape)) {
        throw new Error(
          `gradient of ${node.name}: input ${i} has shape ${formatShape(input.shape)} but its gradient ${formatShape(given.shape)}; mend the op's gradient rule`,
        )
      }
      const before = input.node.cotangent
      // A rule may hand its outputGradient through; each entry needs a tensor of its own, since entries are freed singly.
      input.node.cotangent = before ? add(before, given) : freely && given === outputGradient ? alias(given) : given
      fresh.push(input.node.cotangent)
      if (before && freely && before !== seed) before.dispose()
    }
    return fresh
  }
  for (const node of nodes) {
    const outputGradient = node.cotangent
    if (!outputGradient) continue
    node.cotangent = undefined
    const fresh = pullBack(() => tidy(() => propagate(node, outputGradient)))
    if (freely) {
      if (outputGradient !== seed && !fresh.includes(outputGradient)) outputGradient.dispose()
      if (!node.output.scope) node.output.node = undefined
      else if (!retained.has(node.output)) node.output.dispose()
    }
  }
  return leaves.map(({ node, shape, backend }) => node!.cotangent ?? full(shape, 0, { backend }))
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
  (x: A): A =>
    tidy(() => valueAndGrad(f)(x).gradient)

/**
 * `vjp(f, x)`: f(x) and the pullback u -> J^T u. The pullback may be called once; it frees the trace. While an outer trace
 * is active, f(x) stays connected to it.
 */
export const vjp = <A extends Tree>(f: (x: A) => Tensor, x: A): { value: Tensor; pullback: (u: Tensor) => A } => {
  const {
    result: { leaves, result },
    bundle,
  } = bundled(() => traced(() => f, x))
  const output = result as Tensor
  const list = tensorsOf(leaves)
  const pullback = (u: Tensor): A => {
    if (!sameShape(u.shape, output.shape)) {
      throw new Error(`vjp: the cotangent has shape ${formatShape(u.shape)}, the output ${formatShape(output.shape)}; they must be equal`)
    }
    const gradients = tidy(() => backward(output, u, list, new Set(list)))
    bundle.untie()
    if (isRecording()) return rebuild(x, gradients)
    dispose(list)
    // The gradient of the identity is u itself, which stays the caller's.
    return rebuild(
      x,
      gradients.map(gradient => (gradient === u ? alias(u) : gradient)),
    )
  }
  bundle.tieTo(pullback)
  return { value: isRecording() ? output : alias(output), pullback }
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
