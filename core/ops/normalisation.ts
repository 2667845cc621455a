import { apply } from '../apply.ts'
import { vjp } from '../grad.ts'
import { type Choose, defineOp, type HostArray, type OpDefinition, type TestCase } from '../op.ts'
import { formatShape, type Shape, ShapeError, sameShape, sizeOf } from '../shape.ts'
import { isTraced } from '../tape.ts'
import type { Tensor } from '../tensor.ts'
import { requireWholeNumber, shown } from '../wholeNumber.ts'
import { concat } from './concat.ts'
import { slice } from './slice.ts'
import { relu, silu } from './unary.ts'

/** What follows the affine map, in the same kernel. */
export type Activation = 'none' | 'relu' | 'silu'

/** What makes one normalisation differ from another. */
export interface Normalisation<Attributes extends { readonly epsilon: number }> {
  readonly name: string
  /** x: [batch, channels, ...] reshaped to [batch, anything, positions], to be normalised over `axes` of that. */
  readonly grouping: (shape: Shape, attributes: Attributes) => { readonly channelGroups: number; readonly axes: readonly number[] }
  readonly activation: (attributes: Attributes) => Activation
  /** Number by which the channels must be divisible, and what it counts. */
  readonly divisor?: (attributes: Attributes) => readonly [number, string]
  readonly domain: (choose: Choose, extra: 'dy' | null) => TestCase<Attributes>
}

const activate = (z: number, activation: Activation): number => {
  if (activation === 'relu') return Math.max(z, 0)
  return activation === 'silu' ? z / (1 + Math.exp(-z)) : z
}

/** Derivative of the activation at z; relu'(0) = 0. */
const slope = (z: number, activation: Activation): number => {
  if (activation === 'relu') return z > 0 ? 1 : 0
  const s = 1 / (1 + Math.exp(-z))
  return activation === 'silu' ? s * (1 + z * (1 - s)) : 1
}

interface NormalisedSet {
  /** Positions of the set's elements, and their channels. */
  readonly at: readonly number[]
  readonly channels: readonly number[]
  /** (x - mean) / sqrt(variance + epsilon) of each. */
  readonly xHat: Float64Array
  readonly inverse: number
}

const mean = (values: ArrayLike<number>): number => {
  let total = 0
  for (let i = 0; i < values.length; i++) total += values[i]!
  return total / values.length
}

/** Calls `each` with every set of elements that share a mean and a variance, in the order of their first elements. */
const forEachSet = <A extends { readonly epsilon: number }>(
  { grouping }: Normalisation<A>,
  x: HostArray,
  { attributes, each }: { attributes: A; each: (set: NormalisedSet) => void },
): void => {
  const { channelGroups, axes } = grouping(x.shape, attributes)
  const channels = x.shape[1]!
  const positions = sizeOf(x.shape.slice(2))
  const sets = new Map<number, number[]>()
  for (let i = 0; i < x.values.length; i++) {
    const group = Math.floor((Math.floor(i / positions) * channelGroups) / channels)
    const key = axes.includes(0) ? group % channelGroups : group
    const set = sets.get(key)
    if (set) set.push(i)
    else sets.set(key, [i])
  }
  for (const at of sets.values()) {
    const centre = mean(at.map(i => x.values[i]!))
    const inverse = 1 / Math.sqrt(mean(at.map(i => (x.values[i]! - centre) ** 2)) + attributes.epsilon)
    const xHat = Float64Array.from(at, i => (x.values[i]! - centre) * inverse)
    each({ at, channels: at.map(i => Math.floor(i / positions) % channels), xHat, inverse })
  }
}

const checkShapes = <A extends { readonly epsilon: number }>(n: Normalisation<A>, shapes: readonly Shape[], attributes: A): void => {
  const [x, weight, bias, dy] = shapes as [Shape, Shape, Shape, Shape?]
  const perChannel = [x[1]!]
  const [divisor, counted] = n.divisor?.(attributes) ?? [1, '']
  requireWholeNumber(n.name, counted, divisor, 1)
  if (!Number.isFinite(attributes.epsilon) || attributes.epsilon < 0)
    throw new RangeError(`${n.name}: epsilon must be a finite number of at least 0, got ${shown(attributes.epsilon)}; use one such as 1e-5`)
  if (x.length < 2 || x[1]! % divisor !== 0 || !sameShape(weight, perChannel) || !sameShape(bias, perChannel)) {
    const divisible = divisor === 1 ? '' : ` with channels divisible by ${divisor} ${counted}`
    throw new ShapeError(
      `${n.name}: x must be [batch,channels,...]${divisible}, weight and bias [channels]; got ${[x, weight, bias].map(formatShape).join(', ')}; check the layer's channels`,
    )
  }
  if (dy && !sameShape(x, dy)) {
    throw new ShapeError(`${n.name}: x is ${formatShape(x)} but the output gradient ${formatShape(dy)}; make them equal`)
  }
}

/** The same function in elementary ops: the second derivatives of the fused kernels come from it. */
const composite = <A extends { readonly epsilon: number }>(n: Normalisation<A>, inputs: readonly Tensor[], attributes: A): Tensor => {
  const [x, weight, bias] = inputs as [Tensor, Tensor, Tensor]
  const { channelGroups, axes } = n.grouping(x.shape, attributes)
  const grouped = x.reshape([x.shape[0]!, channelGroups, sizeOf(x.shape.slice(1)) / channelGroups])
  const centred = grouped.sub(grouped.mean(axes, { keepDims: true }))
  const deviation = centred.square().mean(axes, { keepDims: true }).add(attributes.epsilon).sqrt()
  const perChannel = [1, x.shape[1]!, ...x.shape.slice(2).map(() => 1)]
  const affine = centred.div(deviation).reshape(x.shape).mul(weight.reshape(perChannel)).add(bias.reshape(perChannel))
  const activation = n.activation(attributes)
  return activation === 'none' ? affine : { relu, silu }[activation](affine)
}

const pack = (tensors: readonly Tensor[]): Tensor =>
  concat(
    tensors.map(t => t.reshape([-1])),
    0,
  )

/** Gradient thunks of (x, weight, bias, dy) -> pick(J^T dy), by differentiating the composite twice. */
const secondOrder = (inputs: readonly Tensor[], first: (inputs: readonly Tensor[]) => Tensor, u: Tensor) => {
  let gradients: readonly Tensor[] | undefined
  return inputs.map((_, i) => () => {
    gradients ??= vjp(first, inputs).pullback(u)
    return gradients[i]!
  })
}

/**
 * Defines a normalisation y = activation((x - mean) / sqrt(variance + epsilon) weight + bias) with the biased variance, of
 * x: [batch, channels, ...], weight and bias: [channels]; and its gradients, `<name>InputGrad` and `<name>Grad`.
 *
 * The gradients by x, weight and bias share nearly all of their work, so `<name>Grad` gives them packed into one array,
 * one after the other; where only x has a trace, as in an attack, `<name>InputGrad` gives that one.
 */
export const defineNormalisation = <A extends { readonly epsilon: number }>(
  n: Normalisation<A>,
): ((inputs: readonly Tensor[], attributes: A) => Tensor) => {
  const first = (attributes: A) => (inputs: readonly Tensor[]) =>
    vjp((xs: readonly Tensor[]) => composite(n, xs, attributes), inputs.slice(0, 3)).pullback(inputs[3]!)

  // dx = (g - mean(g) - xHat mean(g xHat)) inverse with g = weight dz, the means over the set; dz = dy slope(z).
  // d weight = sum of dz xHat and d bias = sum of dz, per channel.
  const gradients = ([x, weight, bias, dy]: readonly HostArray[], output: HostArray, attributes: A): void => {
    const size = x!.values.length
    const parameters = new Float64Array(Math.max(0, output.values.length - size))
    const activation = n.activation(attributes)
    forEachSet(n, x!, {
      attributes,
      each: ({ at, channels, xHat, inverse }) => {
        const dz = xHat.map((h, j) => {
          const c = channels[j]!
          return dy!.values[at[j]!]! * slope(h * weight!.values[c]! + bias!.values[c]!, activation)
        })
        const g = dz.map((d, j) => d * weight!.values[channels[j]!]!)
        const [meanG, meanGX] = [mean(g), mean(g.map((value, j) => value * xHat[j]!))]
        for (const [j, i] of at.entries()) {
          output.values[i] = (g[j]! - meanG - xHat[j]! * meanGX) * inverse
          parameters[channels[j]!]! += dz[j]! * xHat[j]!
          parameters[weight!.values.length + channels[j]!]! += dz[j]!
        }
      },
    })
    output.values.set(parameters, size)
  }

  const inputGradOp = defineOp<A>({
    name: `${n.name}InputGrad`,
    shape: (shapes, attributes) => {
      checkShapes(n, shapes, attributes)
      return shapes[0]!
    },
    define: gradients,
    gradient: ({ inputs, attributes, outputGradient: u }) => secondOrder(inputs, xs => first(attributes)(xs)[0]!, u),
    domain: choose => n.domain(choose, 'dy'),
  })

  const gradOp = defineOp<A>({
    name: `${n.name}Grad`,
    shape: (shapes, attributes) => {
      checkShapes(n, shapes, attributes)
      return [sizeOf(shapes[0]!) + 2 * shapes[0]![1]!]
    },
    define: gradients,
    gradient: ({ inputs, attributes, outputGradient: u }) => secondOrder(inputs, xs => pack(first(attributes)(xs)), u),
    domain: choose => n.domain(choose, 'dy'),
  })

  const op: OpDefinition<A> = defineOp<A>({
    name: n.name,
    shape: (shapes, attributes) => {
      checkShapes(n, shapes, attributes)
      return shapes[0]!
    },
    define: ([x, weight, bias], output, attributes) =>
      forEachSet(n, x!, {
        attributes,
        each: ({ at, channels, xHat }) => {
          for (const [j, i] of at.entries()) {
            const z = xHat[j]! * weight!.values[channels[j]!]! + bias!.values[channels[j]!]!
            output.values[i] = activate(z, n.activation(attributes))
          }
        },
      }),
    gradient: ({ inputs: [x, weight, bias], attributes, outputGradient: dy }) => {
      const inputs = [x!, weight!, bias!, dy]
      const channels = weight!.size
      let packed: Tensor | undefined
      const part = (start: number, size: number): Tensor => {
        packed ??= apply(gradOp, inputs, attributes)
        return slice(packed, { starts: [start], sizes: [size] })
      }
      return [
        () => (isTraced([weight!, bias!]) ? part(0, x!.size).reshape(x!.shape) : apply(inputGradOp, inputs, attributes)),
        () => part(x!.size, channels),
        () => part(x!.size + channels, channels),
      ]
    },
    domain: choose => n.domain(choose, null),
  })
  return (inputs, attributes) => apply(op, inputs, attributes)
}
