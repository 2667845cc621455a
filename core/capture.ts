import type { Backend } from './backends/backend.ts'
import { dispose, tidy } from './memory.ts'
import { formatShape, type Shape, ShapeError, sameShape } from './shape.ts'
import { makeTensor, type Tensor } from './tensor.ts'

/** A step on tensors: no more than ops on its inputs and on tensors that it makes itself. */
export type Step = (inputs: readonly Tensor[]) => readonly Tensor[]

export interface Captured {
  /** Kernels that a run executes; undefined where the step itself is run. */
  readonly kernels: number | undefined
  /** The step on other inputs of the same shapes. Throws ShapeError when they differ, and Error after `dispose`. */
  run(inputs: readonly Tensor[]): readonly Tensor[]
  /** Frees what the replay keeps; results of runs stay. Disposing twice is harmless. */
  dispose(): void
}

const checkShapes = (inputs: readonly Tensor[], shapes: readonly Shape[]): void => {
  if (inputs.length === shapes.length && inputs.every((x, i) => sameShape(x.shape, shapes[i]!))) return
  throw new ShapeError(
    `capture: captured for ${shapes.map(formatShape).join(', ')}, got ${inputs.map(x => formatShape(x.shape)).join(', ')}; capture again`,
  )
}

/** The same with `run` refused for other shapes and after `dispose`, which does its work only once. */
const guarded = (given: readonly Shape[], { kernels, run, dispose: destroy }: Captured): Captured => {
  let disposed = false
  return {
    kernels,
    run(inputs) {
      if (disposed) throw new Error('capture: run after dispose; capture again')
      checkShapes(inputs, given)
      return run(inputs)
    },
    dispose() {
      if (!disposed) destroy()
      disposed = true
    },
  }
}

/**
 * Runs a step once, notes what it has the device compute, and gives a function that has it computed again for other inputs,
 * without the cost of the ops in JavaScript. On backends that cannot do so, the step itself is run.
 *
 * What a replay repeats is fixed at the capture: numbers, and tensors that the step makes from the host's values. So noise,
 * parameters and step sizes that change are inputs. An input that is the same tensor as in the run before costs nothing.
 *
 * @throws Error when the step reads a tensor from outside, reads values, or uses an op that only the host computes
 */
export const capture = async (backend: Backend, step: Step, inputs: readonly Tensor[]): Promise<Captured> => {
  const given = inputs.map(({ shape }) => shape)
  if (!backend.capture) {
    return guarded(given, { kernels: undefined, run: next => tidy(() => step(next)), dispose: () => undefined })
  }
  let made: readonly Tensor[] = []
  let own: readonly Tensor[] = []
  const capturing = backend.capture(inputs, operands => {
    own = operands.map(({ storage, shape }) => makeTensor(backend, storage, shape))
    made = tidy(() => step(own))
    return made
  })
  // What was made first: freeing what a deferred array reads would compute it.
  const captured = await capturing.finally(() => dispose([made, own]))
  const shapes = made.map(({ shape }) => shape)
  return guarded(given, {
    kernels: captured.kernels,
    run: next => captured.run(next).map((storage, i) => makeTensor(backend, storage, shapes[i]!)),
    dispose: () => captured.dispose(),
  })
}
