import { isRecording } from './tape.ts'
import type { Tensor } from './tensor.ts'
import { mapTensors } from './tree.ts'

/**
 * Memory of tensors lives outside the garbage collector's sight, so it is freed by scope: `tidy` frees whatever was made
 * inside it and not returned. Outside every scope a tensor lives until `dispose()`; a FinalizationRegistry is the safety net.
 */
class Scope {
  readonly tensors = new Set<Tensor>()
}

let current: Scope | undefined

/** Enters a new tensor into the current scope. */
export const track = (tensor: Tensor): void => {
  if (current) {
    current.tensors.add(tensor)
    tensor.scope = current
  } else {
    tensor.watch()
  }
}

const moveTo = (tensor: Tensor, scope: Scope | undefined): void => {
  tensor.scope?.tensors.delete(tensor)
  tensor.scope = scope
  if (scope) scope.tensors.add(tensor)
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
    mapTensors(result, tensor => {
      if (tensor.scope === scope) moveTo(tensor, parent)
      return tensor
    })
  } finally {
    current = parent
    for (const tensor of [...scope.tensors]) tensor.dispose()
  }
  return result
}

/** Takes a tensor out of every scope: it lives until `dispose()`. */
export const keep = <T>(value: T): T =>
  mapTensors(value, tensor => {
    if (tensor.scope) moveTo(tensor, undefined)
    return tensor
  }) as T

/** Frees every tensor in a value (a tensor, or arrays and records of them). */
export const dispose = (value: unknown): void => {
  mapTensors(value, tensor => {
    tensor.dispose()
    return tensor
  })
}

export type { Scope }
