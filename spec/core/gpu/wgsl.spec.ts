import { describe, expect, it } from 'vitest'
import { createGpu } from '../../../core/backends/gpu/gpu.ts'
import { openWebgpu } from '../../../core/backends/gpu/webgpu/open.ts'
import { candidateTiles, columnsOf, fits, type Tile, tileName, usualTiles } from '../../../core/backends/gpu/wgsl/tile.ts'
import { type Backend, ops, tensor, vjp } from '../../../core/index.ts'
import { gpuBackendsUnderTest } from '../../support/backends.ts'
import { expectAllNear } from '../../support/numbers.ts'

const wave = (length: number, step: number): Float32Array => Float32Array.from({ length }, (_, i) => Math.sin(i * step))

describe.skipIf(!gpuBackendsUnderTest.includes('gpu:webgpu'))('hand-written WGSL', async () => {
  // A little more than a tile, vectors along each axis or not, long sums in parts. Every tile is in one case, as drivers build slowly.
  const wide = Math.max(...candidateTiles.map(columnsOf))
  it.each(
    [
      { transposeA: false, transposeB: false, m: 139, n: wide + 4, k: 36 },
      { transposeA: true, transposeB: true, m: 140, n: wide + 1, k: 40 },
      { transposeA: true, transposeB: false, m: 130, n: wide + 5, k: 37 },
      { transposeA: false, transposeB: true, m: 5, n: 9, k: 4100 },
    ].map((size, part) => ({ ...size, part })),
  )(
    'should multiply with the same bits in every tile: $m x $k x $n, transposed $transposeA, $transposeB',
    async ({ transposeA, transposeB, m, n, k, part }) => {
      const { limits } = (await openWebgpu())!.device
      const [a, b] = [wave(m * k, 0.7), wave(k * n, 0.3)]
      const expected = new Float64Array(m * n)
      for (let i = 0; i < m; i++)
        for (let l = 0; l < k; l++)
          for (let j = 0; j < n; j++)
            expected[i * n + j]! += a[transposeA ? l * m + i : i * k + l]! * b[transposeB ? j * k + l : l * n + j]!
      const inTile = async (tile: Tile) => {
        const backend = await createGpu('webgpu', { abilities: { tileFor: () => tile } })
        const [x, y] = [tensor(a, transposeA ? [k, m] : [m, k], { backend }), tensor(b, transposeB ? [n, k] : [k, n], { backend })]
        return ops.matmul(x, y, { transposeA, transposeB }).data()
      }
      const smallest = await inTile(usualTiles.at(-1)!)
      expectAllNear(smallest, expected, 1e-5)
      const tiles = candidateTiles.filter((tile, i) => i % 4 === part && fits(tile, limits))
      for (const tile of tiles) expect(await inTile(tile), tileName(tile)).toEqual(smallest)
    },
  )

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
