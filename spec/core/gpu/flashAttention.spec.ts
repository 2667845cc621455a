import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { openWebgpu } from '../../../core/backends/gpu/webgpu/open.ts'
import { createWebgpuDevice } from '../../../core/backends/gpu/webgpu/webgpuDevice.ts'
import { flashAttentions } from '../../../core/backends/gpu/wgsl/flashAttention.ts'
import type { WgslDevice } from '../../../core/backends/gpu/wgsl/wgslKernel.ts'
import { type Shape, sizeOf } from '../../../core/index.ts'
import { opRegistry } from '../../../core/op.ts'
import { gpuBackendsUnderTest } from '../../support/backends.ts'
import { expectAllNear } from '../../support/numbers.ts'
import { runs } from '../../support/replay.ts'

type Name = 'attention' | 'attentionGrad'

const wave = (shape: Shape, seed: number, scale: number): Float32Array =>
  Float32Array.from({ length: sizeOf(shape) }, (_, i) => scale * Math.sin(seed + 1.7 * i))

describe.skipIf(!gpuBackendsUnderTest.includes('gpu:webgpu'))('attention that never writes scores out', async () => {
  const device = createWebgpuDevice((await openWebgpu())!.device)

  /** Computes by a kernel and by the definition; `scale` is that of query and key. */
  const both = async (name: Name, o: { heads: number; perHead: number; queries: number; keys: number; scale: number }) => {
    const { heads, perHead, queries, keys, scale } = o
    const [query, key] = [
      [2, heads * perHead, queries],
      [2, heads * perHead, keys],
    ]
    const shapes = [query, key, key, query].slice(0, name === 'attention' ? 3 : 4)
    const host = shapes.map((shape, i) => ({ values: Float64Array.from(wave(shape, i, i < 2 ? scale : 1)), shape }))
    const op = opRegistry.get(name)!
    const expected = { values: new Float64Array(sizeOf(op.shape(shapes, { heads }))), shape: op.shape(shapes, { heads }) }
    op.define(host, expected, { heads })
    const dispatched: number[] = []
    const launcher = device.launcher({ description: name, created: new Error() }) as WgslDevice
    const noting: WgslDevice = {
      ...launcher,
      dispatch: (shader, ...rest) => {
        dispatched.push(shader.length)
        return launcher.dispatch(shader, ...rest)
      },
    }
    const arrays = host.map(({ values, shape }) => ({ values: device.upload(Float32Array.from(values)), shape }))
    const result = flashAttentions[name](noting, arrays, expected.shape, { heads })!
    return { actual: await device.read(result, expected.values.length), expected: expected.values, dispatched }
  }

  const sizes = fc.record({
    heads: fc.integer({ min: 1, max: 2 }),
    // One pipeline for each 16 channels: few of them, and all that is odd about the last slice.
    perHead: fc.constantFrom(1, 5, 16, 35),
    queries: fc.constantFrom(1, 2, 31, 32, 33, 70),
    keys: fc.constantFrom(1, 3, 32, 45, 64, 65),
    scale: fc.constantFrom(0.5, 2),
  })

  it.each<Name>(['attention', 'attentionGrad'])('should equal the definition of %s over whole and partial tiles', async name => {
    await fc.assert(
      fc.asyncProperty(sizes, async given => {
        const { actual, expected } = await both(name, given)
        expectAllNear(actual, expected, 1e-5)
      }),
      { numRuns: runs(10) },
    )
  })

  it('should not overflow with large scores', async () => {
    for (const name of ['attention', 'attentionGrad'] as const) {
      const { actual, expected } = await both(name, { heads: 1, perHead: 16, queries: 33, keys: 40, scale: 30 })
      expect(actual.every(Number.isFinite)).toBe(true)
      expectAllNear(actual, expected, 1e-3)
    }
  })

  it('should take no memory for scores: a forward kernel, and three of the gradient with three numbers for each query', async () => {
    const size = 2 * 5 * 70
    const given = { heads: 1, perHead: 5, queries: 70, keys: 70, scale: 1 }
    expect((await both('attention', given)).dispatched).toEqual([size])
    expect((await both('attentionGrad', given)).dispatched).toEqual([3 * 2 * 70, 3 * size, 3 * size])
  })

  it('should leave heads of more than 128 channels to blocks of queries', async () => {
    const { actual, expected, dispatched } = await both('attention', { heads: 1, perHead: 129, queries: 3, keys: 4, scale: 1 })
    expect(dispatched.length).toBeGreaterThan(1)
    expectAllNear(actual, expected, 1e-5)
  })
})
