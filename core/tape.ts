import type { Tensor } from './tensor.ts'

/**
 * The tape: while a gradient is traced, each op whose input is traced leaves a node on its output. A node knows its
 * inputs and how to turn the gradient of its output into theirs. Nodes are numbered in order of creation, so descending
 * numbers are a valid order for the backward pass.
 */
export interface Node {
  readonly id: number
  readonly name: string
  readonly inputs: readonly Tensor[]
  readonly output: Tensor
  readonly gradient: (outputGradient: Tensor) => readonly ((() => Tensor) | null)[]
  /** Of the backward pass that last reached this node: its number, whether a leaf depends on the node, what flowed in so far. */
  pass: number
  needed: boolean
  cotangent: Tensor | undefined
}

let nextId = 0
let depth = 0
/** Nodes with a smaller number belong to a trace outside the function that runs without noting; 0 where none does. */
let firstOwn = 0
let pullingBack = false

/** Whether ops run now to compute a gradient. What a checkpoint computes again for it is a forward pass. */
export const isPullingBack = (): boolean => pullingBack

/** Runs a backward pass. */
export const pullBack = <T>(body: () => T): T => {
  const before = pullingBack
  pullingBack = true
  try {
    return body()
  } finally {
    pullingBack = before
  }
}

export const isRecording = (): boolean => depth > 0

export const attachNode = (output: Tensor, name: string, inputs: readonly Tensor[], gradient: Node['gradient']): void => {
  output.node = { id: nextId++, name, inputs, output, gradient, pass: 0, needed: false, cotangent: undefined }
}

/** Runs `body` while ops on traced tensors are noted. */
export const recording = <T>(body: () => T): T => {
  const before = pullingBack
  depth++
  pullingBack = false
  try {
    return body()
  } finally {
    depth--
    pullingBack = before
  }
}

/**
 * Runs `body` without noting anything; touching a tensor traced before is an error there, since its gradient would be lost.
 * Gradients that the body takes itself are traces of its own.
 */
export const notRecording = <T>(body: () => T): T => {
  const before = { depth, firstOwn }
  depth = 0
  firstOwn = nextId
  try {
    return body()
  } finally {
    depth = before.depth
    firstOwn = before.firstOwn
  }
}

export const isTraced = (inputs: readonly Tensor[]): boolean => {
  for (let i = 0; i < inputs.length; i++) if (inputs[i]!.node) return true
  return false
}

export const refuseTraced = (operation: string, inputs: readonly Tensor[]): void => {
  if (firstOwn > 0 && inputs.some(({ node }) => node && node.id < firstOwn)) {
    throw new Error(
      `${operation}: a checkpointed function closes over a traced tensor, whose gradient would be lost; pass it as an argument`,
    )
  }
}
