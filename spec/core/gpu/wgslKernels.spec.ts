import { describe, expect, it } from 'vitest'
import { createGpu } from '../../../core/backends/gpu/gpu.ts'
import { openWebgpu } from '../../../core/backends/gpu/webgpu/open.ts'
import { createWebgpuDevice } from '../../../core/backends/gpu/webgpu/webgpuDevice.ts'
import { attentions } from '../../../core/backends/gpu/wgsl/attention.ts'
import type { WgslDevice } from '../../../core/backends/gpu/wgsl/wgslKernel.ts'
import { type Backend, loadBackend, ops, sizeOf, type Tensor, tensor, vjp } from '../../../core/index.ts'
import { opRegistry } from '../../../core/op.ts'
import { gpuBackendsUnderTest } from '../../support/backends.ts'
import { expectAllNear } from '../../support/numbers.ts'

const wave = (shape: readonly number[], step: number): Float32Array =>
  Float32Array.from({ length: sizeOf(shape) }, (_, i) => Math.sin(i * step))

/** Value and gradients on a backend, read. */
const allOn = async (backend: Backend, shapes: readonly (readonly number[])[], body: (xs: readonly Tensor[]) => Tensor) => {
  const inputs = shapes.map((shape, i) => tensor(wave(shape, 0.3 + i), shape, { backend }))
  const { value, pullback } = vjp(body, inputs)
  const seed = tensor(wave(value.shape, 0.17), value.shape, { backend })
  return Promise.all([value, ...pullback(seed)].map(result => result.data()))
}

describe.skipIf(!gpuBackendsUnderTest.includes('gpu:webgpu'))('WGSL beyond one workgroup', async () => {
  it.each<[string, (readonly number[])[], (xs: readonly Tensor[]) => Tensor]>([
    ['groupNorm', [[2, 6, 13, 11], [6], [6]], ([x, w, b]) => ops.groupNorm(x!, w!, b!, { groups: 2, silu: true })],
    ['batchNorm', [[3, 5, 11, 9], [5], [5]], ([x, w, b]) => ops.batchNorm(x!, w!, b!)],
    ['softmax', [[3, 131]], ([x]) => ops.softmax(x!)],
    [
      'sums',
      [[3, 20_000]],
      ([x]) =>
        x!
          .square()
          .sum([1])
          .add(x!.sum([0]).slice([0], [3])),
    ],
    ['max', [[5, 700]], ([x]) => x!.max([1])],
    [
      'rows',
      [
        [6, 37, 12],
        [37, 1],
      ],
      ([x, y]) => x!.mul(y!).sub(x!.permute([0, 1, 2])),
    ],
  ])('should agree with the cpu backend: %s', async (_, shapes, body) => {
    const [actual, expected] = [await allOn(await createGpu('webgpu'), shapes, body), await allOn(await loadBackend('cpu'), shapes, body)]
    for (const [i, values] of expected.entries()) expectAllNear(actual[i]!, values, 3e-5)
  })

  it('should give minus infinity as the largest of nothing else', async () => {
    const backend = await createGpu('webgpu')
    const x = tensor(new Float32Array(40).fill(Number.NEGATIVE_INFINITY), [40], { backend })
    expect(await x.max().data()).toEqual(Float32Array.of(Number.NEGATIVE_INFINITY))
  })

  it('should attend block by block of query positions', async () => {
    const device = createWebgpuDevice((await openWebgpu())!.device)
    const launcher = device.launcher({ description: 'attention', created: new Error() }) as WgslDevice
    const [query, key, attributes] = [[2, 6, 7], [2, 6, 5], { heads: 2 }]
    const shapes = [query, key, key, query]
    const host = shapes.map((shape, i) => ({ values: Float64Array.from(wave(shape, 0.3 + i)), shape }))
    const arrays = host.map(({ values, shape }) => ({ values: device.upload(Float32Array.from(values)), shape }))
    // Four heads times five keys: three query positions at a time.
    const kernels = attentions(60)
    for (const name of ['attention', 'attentionGrad'] as const) {
      const op = opRegistry.get(name)!
      const used = name === 'attention' ? 3 : 4
      const shape = op.shape(shapes.slice(0, used), attributes)
      const expected = { values: new Float64Array(sizeOf(shape)), shape }
      op.define(host.slice(0, used), expected, attributes)
      const actual = kernels[name](launcher, arrays.slice(0, used), shape, attributes)!
      expectAllNear(await device.read(actual, sizeOf(shape)), expected.values, 1e-5)
    }
  })
})
