import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { createHeap } from '../../../core/backends/cpu/heap.ts'
import {
  type GroupNormAttributes,
  groupNorm,
  groupNormInputGrad,
  groupNormParameterGrad,
} from '../../../core/backends/cpu/wasm/groupNorm.ts'
import { setExactArithmetic } from '../../../core/backends/cpu/wasm/link.ts'
import { difference, make, runKernel, size, values } from './arrays.ts'

const heap = createHeap({ maximumPages: 2048 })

/** The definition in double precision: y, and for a given dy the gradients, by the chain rule through mean and variance. */
const definition = (
  [x, weight, bias, dy]: readonly Float32Array[],
  { batch, channels, spatial }: { batch: number; channels: number; spatial: number },
  { groups, epsilon, silu }: GroupNormAttributes,
) => {
  const y = new Float64Array(x!.length)
  const dx = new Float64Array(x!.length)
  const parameters = new Float64Array(2 * channels)
  const n = (channels / groups) * spatial
  for (let g = 0; g < batch * groups; g++) {
    const at = Array.from({ length: n }, (_, i) => g * n + i)
    const channelOf = (i: number) => Math.floor(i / spatial) % channels
    const mean = at.reduce((s, i) => s + x![i]!, 0) / n
    const deviation = Math.sqrt(at.reduce((s, i) => s + (x![i]! - mean) ** 2, 0) / n + epsilon)
    const normal = (i: number) => (x![i]! - mean) / deviation
    const dNormal = new Map<number, number>()
    for (const i of at) {
      const c = channelOf(i)
      const z = normal(i) * weight![c]! + bias![c]!
      const s = 1 / (1 + Math.exp(-z))
      y[i] = silu ? z * s : z
      const dz = dy![i]! * (silu ? s + z * s * (1 - s) : 1)
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

const worst = (shape: number[], attributes: GroupNormAttributes, offset = 0) => {
  const [batch, channels] = shape as [number, number]
  const spatial = size(shape.slice(2))
  const data = [values(size(shape), 1).map(v => v + offset), values(channels, 2), values(channels, 3), values(size(shape), 4)]
  const inputs = data.map((d, k) => ({ shape: k === 1 || k === 2 ? [channels] : shape, data: d }))
  const truth = definition(data, { batch, channels, spatial }, attributes)
  const y = runKernel(heap, groupNorm, { inputs: inputs.slice(0, 3), shape, attributes })!
  const dx = runKernel(heap, groupNormInputGrad, { inputs, shape, attributes })!
  const parameters = runKernel(heap, groupNormParameterGrad, { inputs, shape: [2, channels], attributes })!
  return { y: difference(y, truth.y), dx: difference(dx, truth.dx), parameters: difference(parameters, truth.parameters) }
}

describe('groupNorm', () => {
  afterEach(() => setExactArithmetic(false))

  it('should equal the definition, forward and both gradients, for random shapes', () => {
    const shape = fc.record({
      batch: fc.integer({ min: 1, max: 3 }),
      groups: fc.integer({ min: 1, max: 4 }),
      perGroup: fc.integer({ min: 1, max: 5 }),
      spatial: fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 2 }),
      silu: fc.boolean(),
      exact: fc.boolean(),
    })
    fc.assert(
      fc.property(shape, ({ batch, groups, perGroup, spatial, silu, exact }) => {
        setExactArithmetic(exact)
        const error = worst([batch, groups * perGroup, ...spatial], { groups, epsilon: 1e-2, silu })
        expect(error.y).toBeLessThan(5e-6)
        expect(error.dx).toBeLessThan(2e-5)
        expect(error.parameters).toBeLessThan(1e-5)
      }),
      { numRuns: 150 },
    )
  })

  it.each([
    [2, 16, 4, 4],
    [2, 16, 8, 8],
    [1, 8, 32, 32],
  ])('should equal the definition at [%i, %i, %i, %i]', (...shape) => {
    const error = worst(shape, { groups: 4, epsilon: 1e-5, silu: true })
    expect(Math.max(error.y, error.dx, error.parameters)).toBeLessThan(2e-5)
  })

  it('should not lose the variance under a large mean', () => {
    expect(worst([1, 4, 8, 8], { groups: 2, epsilon: 1e-5, silu: false }, 1000).y).toBeLessThan(3e-4)
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

  it('should decline channels that do not divide into groups', () => {
    const a = make(heap, [1, 3, 4])
    expect(groupNorm(heap, [a, a, a], a, { groups: 2, epsilon: 1e-5, silu: false })).toBe(false)
  })
})
