import { isRecording } from './tape.ts'
import type { Tensor } from './tensor.ts'
import { mapTensors, visitTensors } from './tree.ts'

/**
 * Memory of tensors lives outside the garbage collector's sight, so it is freed by scope: `tidy` frees whatever was made
 * inside it and not returned. Outside every scope a tensor lives until `dispose()`; a FinalizationRegistry is the safety net.
 */
class Scope {
  /** The tensors are a list linked through the tensors themselves: entering and leaving take a few assignments. */
  first: Tensor | undefined

  enter(tensor: Tensor): void {
    tensor.scope = this
    tensor.after = this.first
    if (this.first) this.first.before = tensor
    this.first = tensor
  }

  leave(tensor: Tensor): void {
    const { before, after } = tensor
    if (before) before.after = after
    else this.first = after
    if (after) after.before = before
    tensor.scope = undefined
    tensor.before = undefined
    tensor.after = undefined
  }
}

let current: Scope | undefined

/** Enters a new tensor into the current scope. */
export const track = (tensor: Tensor): void => {
  if (current) current.enter(tensor)
  else tensor.watch()
}

const moveTo = (tensor: Tensor, scope: Scope | undefined): void => {
  tensor.scope?.leave(tensor)
  if (scope) scope.enter(tensor)
  else tensor.watch()
}

/**
 * Frees every tensor made by `body` except those in its result (a tensor, or arrays and records of them).
 * Inside a gradient trace the tape still needs the intermediate tensors, so there they are left to the trace.
 * `body` must be synchronous: read values after it returns.
 */
export const tidy = <T>(body: () => T): T => {
  if (isRecording()) return body()
  const parent = current
  const scope = new Scope()
  current = scope
  let result: T
  try {
    result = body()
    if (result instanceof Promise)
      throw new Error('tidy: the body returned a Promise; make tensors inside tidy, await their values after it')
    visitTensors(result, tensor => {
      if (tensor.scope === scope) moveTo(tensor, parent)
    })
  } finally {
    current = parent
    while (scope.first) scope.first.dispose()
  }
  return result
}

const leaveAll = (scope: Scope): void => {
  while (scope.first) moveTo(scope.first, undefined)
}

const forgotten = new FinalizationRegistry(leaveAll)

/** What was made outside every scope and is still of use together: one watched object in place of each tensor. */
export interface Bundle {
  /** Keeps the tensors until `untie`, or until the holder, to which none of them leads, is forgotten. */
  tieTo(holder: object): void
  /** From now on each tensor that is not freed is watched on its own. */
  untie(): void
}

const emptyBundle: Bundle = { tieTo: () => {}, untie: () => {} }

/** Runs the body and bundles what it makes outside every scope. */
export const bundled = <T>(body: () => T): { readonly result: T; readonly bundle: Bundle } => {
  if (current) return { result: body(), bundle: emptyBundle }
  const scope = new Scope()
  const untie = (): void => {
    forgotten.unregister(scope)
    leaveAll(scope)
  }
  current = scope
  try {
    return { result: body(), bundle: { tieTo: holder => forgotten.register(holder, scope, scope), untie } }
  } catch (error) {
    untie()
    throw error
  } finally {
    current = undefined
  }
}

/** Takes a tensor out of every scope: it lives until `dispose()`. */
export const keep = <T>(value: T): T =>
  mapTensors(value, tensor => {
    if (tensor.scope) moveTo(tensor, undefined)
    return tensor
  }) as T

/** Frees every tensor in a value (a tensor, or arrays and records of them). */
export const dispose = (value: unknown): void => visitTensors(value, tensor => tensor.dispose())

export type { Scope }
