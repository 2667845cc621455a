import { apply } from '../apply.ts'
import { vjp } from '../grad.ts'
import { type Choose, defineOp, type HostArray, type TestCase } from '../op.ts'
import { formatShape, type Shape, ShapeError, sameShape, sizeOf } from '../shape.ts'
import type { Tensor } from '../tensor.ts'
import { concat } from './concat.ts'
import { slice } from './slice.ts'
import { silu as siluOf } from './unary.ts'

export interface GroupNormAttributes {
  /** Channels fall into this many groups, each normalised over its channels and positions. */
  readonly groups: number
  readonly epsilon: number
  /** Whether silu follows, in the same kernel. */
  readonly silu: boolean
}

const check = ([x, weight, bias, dy]: readonly Shape[], { groups }: GroupNormAttributes): void => {
  const channels = x![1]
  if (x!.length < 2 || channels! % groups !== 0 || weight!.join() !== `${channels}` || bias!.join() !== `${channels}`) {
    throw new ShapeError(
      `groupNorm: x must be [batch,channels,...] with channels divisible by ${groups} groups, weight and bias [channels]; got ${[x!, weight!, bias!].map(formatShape).join(', ')}; check the layer's channels`,
    )
  }
  if (dy && !sameShape(x!, dy)) {
    throw new ShapeError(`groupNorm: x is ${formatShape(x!)} but the output gradient ${formatShape(dy)}; make them equal`)
  }
}

/** Normalises every (image, group) of x; calls `each` with positions, the normalised value, and the group's 1/deviation. */
const forEachNormalised = (
  x: HostArray,
  { groups, epsilon }: GroupNormAttributes,
  each: (group: { first: number; size: number; inverse: number; mean: number }) => void,
): void => {
  const size = x.values.length / (x.shape[0]! * groups)
  for (let first = 0; first < x.values.length; first += size) {
    let mean = 0
    for (let i = first; i < first + size; i++) mean += x.values[i]! / size
    let variance = 0
    for (let i = first; i < first + size; i++) variance += (x.values[i]! - mean) ** 2 / size
    each({ first, size, mean, inverse: 1 / Math.sqrt(variance + epsilon) })
  }
}

/** Derivative of silu at a, times dy; plain dy when silu does not follow. */
const throughSilu = (dy: number, a: number, silu: boolean): number => {
  if (!silu) return dy
  const s = 1 / (1 + Math.exp(-a))
  return dy * s * (1 + a * (1 - s))
}

const normDomain = (choose: Choose, extra: 'dy' | null): TestCase<GroupNormAttributes> => {
  const groups = choose.integer(1, 3)
  const channels = groups * choose.integer(1, 3)
  const shape = [choose.integer(1, 3), channels, choose.integer(2, 4), choose.integer(1, 4)]
  const inputs = [{ shape }, { shape: [channels] }, { shape: [channels] }, ...(extra ? [{ shape }] : [])]
  return { inputs, attributes: { groups, epsilon: 1e-3, silu: choose.integer(0, 1) === 1 } }
}

const groupNormOp = defineOp<GroupNormAttributes>({
  name: 'groupNorm',
  shape: (shapes, attributes) => {
    check(shapes, attributes)
    return shapes[0]!
  },
  define: ([x, weight, bias], output, attributes) => {
    const positions = sizeOf(x!.shape.slice(2))
    const channels = x!.shape[1]!
    forEachNormalised(x!, attributes, ({ first, size, mean, inverse }) => {
      for (let i = first; i < first + size; i++) {
        const c = Math.floor(i / positions) % channels
        const a = (x!.values[i]! - mean) * inverse * weight!.values[c]! + bias!.values[c]!
        output.values[i] = attributes.silu ? a / (1 + Math.exp(-a)) : a
      }
    })
  },
  gradient: ({ inputs: [x, weight, bias], attributes, outputGradient: dy }) => {
    let both: Tensor | undefined
    const parameters = (row: number) => () => {
      both ??= apply(parameterGradOp, [x!, weight!, bias!, dy], attributes)
      return slice(both, { starts: [row, 0], sizes: [1, x!.shape[1]!] }).reshape([x!.shape[1]!])
    }
    return [() => apply(inputGradOp, [x!, weight!, bias!, dy], attributes), parameters(0), parameters(1)]
  },
  domain: choose => normDomain(choose, null),
})

/** The same function in elementary ops: the second derivatives of the fused kernels come from it. */
const composite = (x: Tensor, weight: Tensor, bias: Tensor, { groups, epsilon, silu }: GroupNormAttributes): Tensor => {
  const grouped = x.reshape([x.shape[0]!, groups, -1])
  const centred = grouped.sub(grouped.mean([2], { keepDims: true }))
  const deviation = centred.square().mean([2], { keepDims: true }).add(epsilon).sqrt()
  const perChannel = [1, x.shape[1]!, ...x.shape.slice(2).map(() => 1)]
  const affine = centred.div(deviation).reshape(x.shape).mul(weight.reshape(perChannel)).add(bias.reshape(perChannel))
  return silu ? siluOf(affine) : affine
}

/** Gradient thunks of (x, weight, bias, dy) -> pick(J^T dy), by differentiating the composite twice. */
const secondOrder = (inputs: readonly Tensor[], attributes: GroupNormAttributes, u: Tensor, pick: (g: readonly Tensor[]) => Tensor) => {
  let gradients: readonly Tensor[] | undefined
  const compute = (): readonly Tensor[] => {
    gradients ??= vjp((all: readonly Tensor[]) => {
      const [x, weight, bias, dy] = all as [Tensor, Tensor, Tensor, Tensor]
      return pick(vjp(([a, b, c]: readonly Tensor[]) => composite(a!, b!, c!, attributes), [x, weight, bias]).pullback(dy))
    }, inputs).pullback(u)
    return gradients
  }
  return inputs.map((_, i) => () => compute()[i]!)
}

const inputGradOp = defineOp<GroupNormAttributes>({
  name: 'groupNormInputGrad',
  shape: (shapes, attributes) => {
    check(shapes, attributes)
    return shapes[0]!
  },
  // dx = (g - mean(g) - xhat mean(g xhat)) / deviation with g = weight * (dy through silu), means over the group.
  define: ([x, weight, bias, dy], output, attributes) => {
    const positions = sizeOf(x!.shape.slice(2))
    const channels = x!.shape[1]!
    forEachNormalised(x!, attributes, ({ first, size, mean, inverse }) => {
      const g = new Float64Array(size)
      let meanG = 0
      let meanGx = 0
      for (let i = 0; i < size; i++) {
        const c = Math.floor((first + i) / positions) % channels
        const normal = (x!.values[first + i]! - mean) * inverse
        g[i] = weight!.values[c]! * throughSilu(dy!.values[first + i]!, normal * weight!.values[c]! + bias!.values[c]!, attributes.silu)
        meanG += g[i]! / size
        meanGx += (g[i]! * normal) / size
      }
      for (let i = 0; i < size; i++) {
        const normal = (x!.values[first + i]! - mean) * inverse
        output.values[first + i] = (g[i]! - meanG - normal * meanGx) * inverse
      }
    })
  },
  gradient: ({ inputs, attributes, outputGradient: u }) => secondOrder(inputs, attributes, u, g => g[0]!),
  domain: choose => normDomain(choose, 'dy'),
})

const parameterGradOp = defineOp<GroupNormAttributes>({
  name: 'groupNormParameterGrad',
  shape: (shapes, attributes) => {
    check(shapes, attributes)
    return [2, shapes[0]![1]!]
  },
  // Row 0: d weight = sum of dy' xhat; row 1: d bias = sum of dy', with dy' = dy through silu.
  define: ([x, weight, bias, dy], output, attributes) => {
    const positions = sizeOf(x!.shape.slice(2))
    const channels = x!.shape[1]!
    const total = new Float64Array(2 * channels)
    forEachNormalised(x!, attributes, ({ first, size, mean, inverse }) => {
      for (let i = first; i < first + size; i++) {
        const c = Math.floor(i / positions) % channels
        const normal = (x!.values[i]! - mean) * inverse
        const g = throughSilu(dy!.values[i]!, normal * weight!.values[c]! + bias!.values[c]!, attributes.silu)
        total[c]! += g * normal
        total[channels + c]! += g
      }
    })
    output.values.set(total)
  },
  gradient: ({ inputs, attributes, outputGradient: u }) => secondOrder(inputs, attributes, u, ([, w, b]) => stack(w!, b!)),
  domain: choose => normDomain(choose, 'dy'),
})

const stack = (a: Tensor, b: Tensor): Tensor => concat([a.reshape([1, -1]), b.reshape([1, -1])], 0)

/**
 * Group normalisation (Wu and He 2018): per image and group of channels, subtract the mean, divide by
 * sqrt(variance + epsilon) (biased variance), then scale and shift per channel; silu follows when asked.
 * x: [batch, channels, ...]; weight, bias: [channels]. Throws ShapeError when groups do not divide the channels.
 */
export const groupNorm = (
  x: Tensor,
  weight: Tensor,
  bias: Tensor,
  { groups, epsilon = 1e-5, silu = false }: Partial<GroupNormAttributes> & { groups: number },
): Tensor => apply(groupNormOp, [x, weight, bias], { groups, epsilon, silu })
