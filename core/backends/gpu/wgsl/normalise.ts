import type { BatchNormAttributes } from '../../../ops/batchNorm.ts'
import type { GroupNormAttributes } from '../../../ops/groupNorm.ts'
import type { Activation } from '../../../ops/normalisation.ts'
import { type Shape, sizeOf } from '../../../shape.ts'
import type { DeviceArray, GpuArray } from '../device.ts'
import { dispatchSets, type SetModules, setsText } from './sets.ts'
import type { WgslKernel } from './wgslKernel.ts'

const threads = 256

/**
 * A set is what shares a mean: a group of an image's channels, or a channel of all images. Its elements are `perSet` channels
 * of `extent` elements each.
 */
const sizeNames = ['sets', 'perSet', 'extent', 'positions', 'channels', 'groups'] as const

const layouts = {
  groupNorm: `fn place(unit : u32, q : u32, e : u32) -> u32 { return (unit * args.perSet + q) * args.extent + e; }
fn channel(unit : u32, q : u32) -> u32 { return unit % args.groups * args.perSet + q; }`,
  batchNorm: `fn place(unit : u32, q : u32, e : u32) -> u32 {
  return (e / args.positions * args.channels + unit) * args.positions + e % args.positions;
}
fn channel(unit : u32, q : u32) -> u32 { return unit; }`,
}

type Layout = keyof typeof layouts

const activations: Record<Activation, { readonly value: string; readonly slope: string }> = {
  none: { value: 'z', slope: '1.0' },
  relu: { value: 'max(z, 0.0)', slope: 'select(0.0, 1.0, z > 0.0)' },
  silu: { value: 'z * logistic(z)', slope: 'logistic(z) * (1.0 + z * (1.0 - logistic(z)))' },
}

const functionsText = (layout: Layout, activation: Activation): string => `${layouts[layout]}
fn logistic(x : f32) -> f32 {
  let e = exp(-abs(x));
  return select(1.0, e, x < 0.0) / (1.0 + e);
}
fn activated(z : f32) -> f32 { return ${activations[activation].value}; }
fn slope(z : f32) -> f32 { return ${activations[activation].slope}; }`

/** Runs `statement` for every element of the set, in `q`, `e` and `at`. */
const each = (statement: string): string =>
  `for (var j = lane; j < count; j += ${threads}u) {
    let q = j / args.extent; let e = j % args.extent; let at = place(unit, q, e);
    ${statement}
  }`

/** Mean and inverse deviation in two passes, so that nothing cancels. */
const statistics = `let count = args.perSet * args.extent;
  var total = 0.0;
  ${each('total += x0[at];')}
  let mean = sum(total, lane) / f32(count);
  var squares = 0.0;
  ${each('let d = x0[at] - mean; squares += d * d;')}
  let inverse = 1.0 / sqrt(sum(squares, lane) / f32(count) + args.epsilon);`

const normal = 'let c = channel(unit, q); let xHat = (x0[at] - mean) * inverse; let z = xHat * x1[c] + x2[c];'

const forward = `${statistics}
  ${each(`${normal} result[at] = activated(z);`)}`

const inputGrad = `${statistics}
  var g1 = 0.0;
  var g2 = 0.0;
  ${each(`${normal} let g = x1[c] * x3[at] * slope(z); g1 += g; g2 += g * xHat;`)}
  let meanG = sum(g1, lane) / f32(count);
  let meanGX = sum(g2, lane) / f32(count);
  ${each(`${normal} result[at] = (x1[c] * x3[at] * slope(z) - meanG - xHat * meanGX) * inverse;`)}`

/**
 * Also the sums of dz xHat and dz of each channel of the set, which go behind the result; their weighted sums are those of g.
 * `args.behind` is where they begin.
 */
const allGrads = `${statistics}
  var meanG = 0.0;
  var meanGX = 0.0;
  for (var q = 0u; q < args.perSet; q++) {
    var d1 = 0.0;
    var d2 = 0.0;
    for (var e = lane; e < args.extent; e += ${threads}u) {
      let at = place(unit, q, e);
      ${normal}
      let dz = x3[at] * slope(z);
      d1 += dz * xHat;
      d2 += dz;
    }
    let dWeight = sum(d1, lane);
    let dBias = sum(d2, lane);
    if (lane == 0u) {
      let behind = args.behind + 2u * (unit * args.perSet + q);
      result[behind] = dWeight;
      result[behind + 1u] = dBias;
    }
    meanG += x1[channel(unit, q)] * dBias / f32(count);
    meanGX += x1[channel(unit, q)] * dWeight / f32(count);
  }
  ${each(`${normal} result[at] = (x1[c] * x3[at] * slope(z) - meanG - xHat * meanGX) * inverse;`)}`

/** Adds the sums of all images, one parameter's gradient per set. */
const parameterGrads = setsText({
  inputs: 0,
  sizes: ['sets', 'channels', 'images', 'behind', 'size'],
  params: [],
  threads: 1,
  functions: '',
  body: `var total = 0.0;
  for (var i = 0u; i < args.images; i++) {
    total += result[args.behind + 2u * (i * args.channels + unit % args.channels) + unit / args.channels];
  }
  result[args.size + unit] = total;`,
})

type Kind = 'forward' | 'inputGrad' | 'allGrads'

const bodies: Record<Kind, string> = { forward, inputGrad, allGrads }

const texts = new Map<string, SetModules>()

const textOf = (kind: Kind, layout: Layout, activation: Activation): SetModules => {
  const key = `${kind} ${layout} ${activation}`
  let text = texts.get(key)
  if (text === undefined) {
    text = setsText({
      inputs: kind === 'forward' ? 3 : 4,
      sizes: [...sizeNames, ...(kind === 'allGrads' ? ['behind'] : [])],
      params: ['epsilon'],
      threads,
      functions: functionsText(layout, activation),
      body: bodies[kind],
    })
    texts.set(key, text)
  }
  return text
}

interface Normalisation {
  readonly layout: Layout
  readonly activation: Activation
  readonly epsilon: number
  /** Groups of an image's channels. */
  readonly groups: number
}

const sizesOf = (shape: Shape, { layout, groups }: Normalisation): number[] => {
  const [images, channels] = shape as [number, number]
  const positions = sizeOf(shape.slice(2))
  return layout === 'groupNorm'
    ? [images * groups, channels / groups, positions, positions, channels, groups]
    : [channels, 1, images * positions, positions, channels, 1]
}

const run = (kind: Kind, device: Parameters<WgslKernel>[0], inputs: readonly GpuArray[], normalisation: Normalisation): DeviceArray => {
  const { shape } = inputs[0]!
  const { layout, activation, epsilon } = normalisation
  const [channels, size] = [shape[1]!, sizeOf(shape)]
  const sizes = sizesOf(shape, normalisation)
  const images = layout === 'groupNorm' ? shape[0]! : 1
  const behind = size + 2 * channels
  const withParameters = kind === 'allGrads'
  const result = dispatchSets(device, textOf(kind, layout, activation), {
    sets: sizes[0]!,
    threads,
    inputs: inputs.map(x => x.values),
    length: withParameters ? behind + 2 * images * channels : size,
    sizes: withParameters ? [...sizes, behind] : sizes,
    params: [epsilon],
  })
  if (!withParameters) return result
  const sets = 2 * channels
  return dispatchSets(device, parameterGrads, {
    sets,
    threads: 1,
    inputs: [],
    length: sets,
    sizes: [sets, channels, images, behind, size],
    into: result,
  })
}

const groupKernel =
  (kind: Kind): WgslKernel<GroupNormAttributes> =>
  (device, inputs, _, { groups, epsilon, silu }) =>
    run(kind, device, inputs, { layout: 'groupNorm', activation: silu ? 'silu' : 'none', epsilon, groups })

const batchKernel =
  (kind: Kind): WgslKernel<BatchNormAttributes> =>
  (device, inputs, _, { epsilon, relu }) =>
    run(kind, device, inputs, { layout: 'batchNorm', activation: relu ? 'relu' : 'none', epsilon, groups: 1 })

/** A workgroup per set computes mean and deviation in its memory and then the set's elements, in one pass over x and dy each. */
export const normalisations = {
  groupNorm: groupKernel('forward'),
  groupNormInputGrad: groupKernel('inputGrad'),
  groupNormGrad: groupKernel('allGrads'),
  batchNorm: batchKernel('forward'),
  batchNormInputGrad: batchKernel('inputGrad'),
  batchNormGrad: batchKernel('allGrads'),
}
