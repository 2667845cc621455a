import type { Shape } from '../index.ts'

/** Shapes of the parameters of a layer or network, keyed by state-dict names, in the order of the published state dict. */
export type ParameterShapes = Readonly<Record<string, Shape>>

export const linearShapes = (name: string, inputs: number, outputs: number): ParameterShapes => ({
  [`${name}.weight`]: [outputs, inputs],
  [`${name}.bias`]: [outputs],
})

export const convShapes = (name: string, inputs: number, outputs: number, o: { kernel: number; bias?: boolean }): ParameterShapes => ({
  [`${name}.weight`]: [outputs, inputs, o.kernel, o.kernel],
  ...((o.bias ?? true) ? { [`${name}.bias`]: [outputs] } : {}),
})

/** Scale and shift of a normalisation layer. */
export const normShapes = (name: string, channels: number): ParameterShapes => ({
  [`${name}.weight`]: [channels],
  [`${name}.bias`]: [channels],
})

/** What batch normalisation remembers besides its parameters. */
export const runningShapes = (name: string, channels: number): ParameterShapes => ({
  [`${name}.running_mean`]: [channels],
  [`${name}.running_var`]: [channels],
  [`${name}.num_batches_tracked`]: [],
})

/** Number of values in all of them. */
export const countParameters = (shapes: ParameterShapes): number =>
  Object.values(shapes).reduce((total, shape) => total + shape.reduce((size, length) => size * length, 1), 0)
