import { type Shape, sizeOf, type Tensor, tensor } from '../index.ts'
import { normal, uniform } from '../random/distributions.ts'
import { foldIn, type Key } from '../random/key.ts'
import type { ParameterShapes } from './shapes.ts'

/** Draws the values of one tensor. */
export type Initialiser = (key: Key, shape: Shape) => Float64Array

/** Inputs that one output value sees, of a weight [outputs, inputs, ...kernel]. */
const fanIn = (shape: Shape): number => sizeOf(shape.slice(1))

/** U(-bound, bound). */
export const uniformWithin =
  (bound: number): Initialiser =>
  (key, shape) =>
    uniform(key, sizeOf(shape)).map(u => (2 * u - 1) * bound)

export const normalWith =
  (deviation: number): Initialiser =>
  (key, shape) =>
    normal(key, sizeOf(shape)).map(z => z * deviation)

export const constantOf =
  (value: number): Initialiser =>
  (_, shape) =>
    new Float64Array(sizeOf(shape)).fill(value)

/**
 * Uniform initialisation of He et al. 2015 with leaky slope a: bound = sqrt(2 / (1 + a^2)) sqrt(3 / fanIn).
 * The default a = sqrt(5) gives 1 / sqrt(fanIn), PyTorch's default of linear and convolution weights.
 */
export const kaimingUniform = (key: Key, shape: Shape, a = Math.sqrt(5)): Float64Array =>
  uniformWithin(Math.sqrt(6 / ((1 + a * a) * fanIn(shape))))(key, shape)

/** Uniform initialisation of Glorot and Bengio 2010: bound = gain sqrt(6 / (fanIn + fanOut)). */
export const xavierUniform =
  (gain = 1): Initialiser =>
  (key, shape) =>
    uniformWithin(gain * Math.sqrt(6 / (fanIn(shape) + (shape[0]! * fanIn(shape)) / shape[1]!)))(key, shape)

const ofSibling = (shapes: ParameterShapes, name: string): Initialiser => {
  const weight = shapes[name.replace(/\.bias$/, '.weight')]
  if (name.endsWith('.weight') && weight!.length > 1) return kaimingUniform
  if (name.endsWith('.bias') && weight && weight.length > 1) return uniformWithin(1 / Math.sqrt(fanIn(weight)))
  return constantOf(name.endsWith('.weight') || name.endsWith('.running_var') ? 1 : 0)
}

/**
 * One tensor per shape with PyTorch's defaults, told from name and shape: kaiming-uniform weights and uniform biases of
 * linear and convolution layers; ones and zeros of normalisation layers and their running statistics.
 * `special` may give another initialiser for a name. Each name draws from a key of its own, so the order does not matter.
 */
export const initialise = (
  key: Key,
  shapes: ParameterShapes,
  special: (name: string, shape: Shape) => Initialiser | undefined = () => undefined,
): Record<string, Tensor> =>
  Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => {
      const draw = special(name, shape) ?? ofSibling(shapes, name)
      return [name, tensor(draw(foldIn(key, name), shape), shape)]
    }),
  )
