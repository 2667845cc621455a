import { dispose, formatShape, type Tensor, type Tree } from '../index.ts'

/** Tensors keyed by state-dict names. */
export type TensorRecord = Readonly<Record<string, Tensor>>

/** What an optimizer remembers: the number of updates made, and tensors. Plain data, so that it can be saved. */
export interface OptimizerState {
  readonly step: number
  readonly [slot: string]: Tree | number
}

export interface Updated<State extends OptimizerState> {
  readonly params: Record<string, Tensor>
  readonly state: State
}

/**
 * A pure rule of descent. `update` reads its arguments and makes new tensors; it frees nothing. The caller owns all of
 * them and disposes the old parameters, state and gradients (`replace` does so) or lets a surrounding `tidy` do it.
 */
export interface Optimizer<State extends OptimizerState> {
  init(params: TensorRecord): State
  update(params: TensorRecord, gradients: TensorRecord, state: State): Updated<State>
}

/** A learning rate, or one that depends on the number of updates made so far. */
export type LearningRate = number | ((step: number) => number)

export const learningRateAt = (rate: LearningRate, step: number): number => (typeof rate === 'number' ? rate : rate(step))

/** The gradient of a parameter; throws when it is missing or of another shape. */
export const gradientOf = (optimizer: string, gradients: TensorRecord, name: string, parameter: Tensor): Tensor => {
  const gradient = gradients[name]
  if (!gradient) throw new Error(`${optimizer}: parameter "${name}" has no gradient; pass only the parameters that are trained`)
  if (formatShape(gradient.shape) !== formatShape(parameter.shape)) {
    throw new Error(
      `${optimizer}: "${name}" is ${formatShape(parameter.shape)} but its gradient ${formatShape(gradient.shape)}; differentiate by the same record`,
    )
  }
  return gradient
}

/** A record of the same names, each value computed from name and tensor. */
export const mapRecord = (record: TensorRecord, map: (name: string, tensor: Tensor) => Tensor): Record<string, Tensor> =>
  Object.fromEntries(Object.entries(record).map(([name, tensor]) => [name, map(name, tensor)]))

/** Frees everything in `old` and hands `fresh` on: `model = replace(model, optimizer.update(...))`. */
export const replace = <T>(old: unknown, fresh: T): T => {
  dispose(old)
  return fresh
}
