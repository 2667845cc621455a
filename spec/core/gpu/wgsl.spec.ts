import { describe, expect, it } from 'vitest'
import { createGpu } from '../../../core/backends/gpu/gpu.ts'
import { openWebgpu } from '../../../core/backends/gpu/webgpu/open.ts'
import { createWebgpuDevice } from '../../../core/backends/gpu/webgpu/webgpuDevice.ts'
import { type Tile, tiledProduct, tiles } from '../../../core/backends/gpu/wgsl/tiledProduct.ts'
import type { WgslDevice } from '../../../core/backends/gpu/wgsl/wgslKernel.ts'
import { type Backend, ops, tensor, vjp } from '../../../core/index.ts'
import { gpuBackendsUnderTest } from '../../support/backends.ts'
import { expectAllNear } from '../../support/numbers.ts'

const wave = (length: number, step: number): Float32Array => Float32Array.from({ length }, (_, i) => Math.sin(i * step))

describe.skipIf(!gpuBackendsUnderTest.includes('gpu:webgpu'))('hand-written WGSL', async () => {
  it.each(tiles)('should multiply matrices of more than a tile in tiles of $threads x $registers, long sums split', async tile => {
    const device = createWebgpuDevice((await openWebgpu())!.device)
    const [m, n, k] = [2 * side(tile) - 3, side(tile) + 5, tile.threads === 8 ? 4100 : 37]
    const [a, b] = [wave(m * k, 0.7), wave(k * n, 0.3)]
    const launcher = device.launcher({ description: 'product', created: new Error() }) as WgslDevice
    const product = {
      batches: 1,
      m,
      n,
      k,
      left: 'return x0[m * dim.k + k];',
      right: 'return x1[k * dim.n + n];',
      leftAlongK: true,
      rightAlongK: false,
      place: 'return m * dim.n + n;',
    }
    const actual = await device.read(tiledProduct(launcher, product, [device.upload(a), device.upload(b)], tile)!, m * n)
    const expected = new Float64Array(m * n)
    for (let i = 0; i < m; i++)
      for (let l = 0; l < k; l++) for (let j = 0; j < n; j++) expected[i * n + j]! += a[i * k + l]! * b[l * n + j]!
    expectAllNear(actual, expected, 1e-5)
  })

  it('should agree with the gpu.js kernels on a strided convolution in groups and on its gradients', async () => {
    const [x, w, bias] = [wave(2 * 6 * 11 * 9, 0.7), wave(10 * 3 * 3 * 3, 0.3), wave(10, 1)]
    const on = async (backend: Backend) => {
      const inputs = [tensor(x, [2, 6, 11, 9], { backend }), tensor(w, [10, 3, 3, 3], { backend }), tensor(bias, [10], { backend })]
      const { value, pullback } = vjp(
        ([a, b, c]: readonly (typeof inputs)[number][]) => ops.conv2d(a!, b!, { bias: c!, stride: 2, padding: 1, groups: 2 }),
        inputs,
      )
      const results = [value, ...pullback(value)]
      return Promise.all(results.map(result => result.data()))
    }
    const [written, plain] = [await on(await createGpu('webgpu')), await on(await createGpu('webgpu', { wgsl: false }))]
    for (const [i, values] of plain.entries()) expectAllNear(written[i]!, values, 1e-5)
    expect(written).not.toEqual(plain)
  })
})

const side = ({ threads, registers }: Tile): number => threads * registers
