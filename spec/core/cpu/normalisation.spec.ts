import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { createHeap } from '../../../core/backends/cpu/heap.ts'
import { batchNorm, batchNormGrad, batchNormInputGrad } from '../../../core/backends/cpu/wasm/batchNorm.ts'
import { groupNorm, groupNormGrad, groupNormInputGrad } from '../../../core/backends/cpu/wasm/groupNorm.ts'
import { setExactArithmetic } from '../../../core/backends/cpu/wasm/link.ts'
import { runs } from '../../support/replay.ts'
import { difference, make, runKernel, size, values } from './arrays.ts'

const heap = createHeap({ maximumPages: 2048 })

type Activation = 'none' | 'relu' | 'silu'
type Shape = readonly [batch: number, channels: number, ...space: number[]]

/** Group normalisation over this many groups, or batch normalisation. */
interface Norm {
  readonly groups: number | 'batch'
  readonly epsilon: number
  readonly activation: Activation
}

/** The definition in double precision: y, and for a given dy the gradients, by the chain rule through mean and variance. */
const definition = ([x, weight, bias, dy]: readonly Float32Array[], shape: Shape, { groups, epsilon, activation }: Norm) => {
  const [, channels, ...space] = shape
  const spatial = size(space)
  const y = new Float64Array(x!.length)
  const dx = new Float64Array(x!.length)
  const parameters = new Float64Array(2 * channels)
  const channelOf = (i: number) => Math.floor(i / spatial) % channels
  const setOf = (i: number) =>
    groups === 'batch' ? channelOf(i) : Math.floor((channelOf(i) * groups) / channels) + groups * Math.floor(i / (channels * spatial))
  const sets = new Map<number, number[]>()
  for (let i = 0; i < x!.length; i++) sets.set(setOf(i), [...(sets.get(setOf(i)) ?? []), i])
  for (const at of sets.values()) {
    const n = at.length
    const mean = at.reduce((s, i) => s + x![i]!, 0) / n
    const deviation = Math.sqrt(at.reduce((s, i) => s + (x![i]! - mean) ** 2, 0) / n + epsilon)
    const normal = (i: number) => (x![i]! - mean) / deviation
    const dNormal = new Map<number, number>()
    for (const i of at) {
      const c = channelOf(i)
      const z = normal(i) * weight![c]! + bias![c]!
      const s = 1 / (1 + Math.exp(-z))
      y[i] = { none: z, relu: Math.max(z, 0), silu: z * s }[activation]
      const dz = dy![i]! * { none: 1, relu: z > 0 ? 1 : 0, silu: s + z * s * (1 - s) }[activation]
      parameters[c]! += dz * normal(i)
      parameters[channels + c]! += dz
      dNormal.set(i, dz * weight![c]!)
    }
    const dVariance = at.reduce((s, i) => s + dNormal.get(i)! * (x![i]! - mean), 0) * -0.5 * deviation ** -3
    const dMean = -at.reduce((s, i) => s + dNormal.get(i)!, 0) / deviation
    for (const i of at) dx[i] = dNormal.get(i)! / deviation + (dVariance * 2 * (x![i]! - mean)) / n + dMean / n
  }
  return { y, dx, parameters }
}

const kernelsOf = ({ groups, epsilon, activation }: Norm) =>
  groups === 'batch'
    ? { kernels: [batchNorm, batchNormInputGrad, batchNormGrad], attributes: { epsilon, relu: activation === 'relu' } }
    : { kernels: [groupNorm, groupNormInputGrad, groupNormGrad], attributes: { groups, epsilon, silu: activation === 'silu' } }

const worst = (shape: Shape, norm: Norm, offset = 0) => {
  const [, channels] = shape
  const n = size(shape)
  const data = [values(n, 1).map(v => v + offset), values(channels, 2), values(channels, 3), values(n, 4)]
  const inputs = data.map((d, k) => ({ shape: k === 1 || k === 2 ? [channels] : shape, data: d }))
  const truth = definition(data, shape, norm)
  const { kernels, attributes } = kernelsOf(norm)
  const run = (k: number, inputCount: number, shape: readonly number[]) =>
    runKernel<unknown>(heap, kernels[k] as never, { inputs: inputs.slice(0, inputCount), shape, attributes })!
  const packed = run(2, 4, [n + 2 * channels])
  return {
    y: difference(run(0, 3, shape), truth.y),
    dx: Math.max(difference(run(1, 4, shape), truth.dx), difference(packed.slice(0, n), truth.dx)),
    parameters: difference(packed.slice(n), truth.parameters),
  }
}

const norms = fc.oneof(
  fc.record({ groups: fc.integer({ min: 1, max: 4 }), activation: fc.constantFrom('none' as const, 'silu' as const) }),
  fc.record({ groups: fc.constant('batch' as const), activation: fc.constantFrom('none' as const, 'relu' as const) }),
)

describe('normalisation', () => {
  afterEach(() => setExactArithmetic(false))

  it('should equal the definition, forward and all gradients, for random shapes', () => {
    const given = fc.record({
      batch: fc.integer({ min: 1, max: 3 }),
      norm: norms,
      perGroup: fc.integer({ min: 1, max: 5 }),
      spatial: fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 2 }),
      exact: fc.boolean(),
    })
    fc.assert(
      fc.property(given, ({ batch, norm, perGroup, spatial, exact }) => {
        setExactArithmetic(exact)
        const channels = norm.groups === 'batch' ? perGroup : norm.groups * perGroup
        const error = worst([batch, channels, ...spatial], { ...norm, epsilon: 1e-2 })
        expect(error.y).toBeLessThan(5e-6)
        // Sets of two elements nearly cancel.
        expect(error.dx).toBeLessThan(5e-5)
        expect(error.parameters).toBeLessThan(1e-5)
      }),
      { numRuns: runs(200) },
    )
  })

  it.each([
    [4, 'silu', [2, 16, 4, 4]],
    [4, 'silu', [1, 8, 32, 32]],
    ['batch', 'relu', [6, 3, 4, 4]],
    ['batch', 'relu', [2, 2, 32, 32]],
  ] as const)('should equal the definition with groups %s, %s, at %j', (groups, activation, shape) => {
    const error = worst(shape, { groups, epsilon: 1e-5, activation })
    expect(Math.max(error.y, error.dx, error.parameters)).toBeLessThan(2e-5)
  })

  it.each([2, 'batch'] as const)('should not lose the variance under a large mean, groups %s', groups => {
    expect(worst([2, 4, 8, 8], { groups, epsilon: 1e-5, activation: 'none' }, 1000).y).toBeLessThan(3e-4)
  })

  it('should keep SiLU finite for large inputs and let NaN through', () => {
    const data = Float32Array.of(-1, 1, NaN, 0)
    const inputs = [
      { shape: [2, 1, 2], data },
      { shape: [1], data: Float32Array.of(1000) },
      { shape: [1], data: Float32Array.of(0) },
    ]
    const y = runKernel(heap, groupNorm, { inputs, shape: [2, 1, 2], attributes: { groups: 1, epsilon: 0, silu: true } })!
    expect(y[0]).toBeCloseTo(0, 30)
    expect([...y.slice(1)]).toEqual([1000, NaN, NaN])
  })

  it('should let NaN through relu', () => {
    const inputs = [
      { shape: [2, 2], data: Float32Array.of(-1, NaN, 1, 0) },
      { shape: [2], data: Float32Array.of(2, 2) },
      { shape: [2], data: Float32Array.of(0, 0) },
    ]
    const y = runKernel(heap, batchNorm, { inputs, shape: [2, 2], attributes: { epsilon: 0, relu: true } })!
    expect([...y]).toEqual([0, NaN, 2, NaN])
  })

  it('should decline channels that do not divide into groups', () => {
    const a = make(heap, [1, 3, 4])
    expect(groupNorm(heap, [a, a, a], a, { groups: 2, epsilon: 1e-5, silu: false })).toBe(false)
  })
})
