import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createGpu } from '../../../core/backends/gpu/gpu.ts'
import { missingHalf } from '../../../core/backends/gpu/webgpu/half.ts'
import { openWebgpu } from '../../../core/backends/gpu/webgpu/open.ts'
import { loadBackend, ops, tensor } from '../../../core/index.ts'
import { uniform } from '../../../core/random/distributions.ts'
import { foldIn, key } from '../../../core/random/key.ts'
import { gpuBackendsUnderTest } from '../../support/backends.ts'
import { halfError, roundHalf } from '../../support/half.ts'

describe('half precision', () => {
  it.each([
    [1 + 2 ** -11, 1],
    [1 + 3 * 2 ** -11, 1 + 2 ** -9],
    [-2049, -2048],
    [65519, 65504],
    [-65520, -Infinity],
    [2 ** -24, 2 ** -24],
    [2 ** -25, 0],
    [3 * 2 ** -26, 2 ** -24],
  ])('should round %d to %d', (x, rounded) => expect(roundHalf(x)).toBe(rounded))

  it('should put a sum of products off by no more than the stated bound, of normal operands', () => {
    const normal = fc.double({ min: 2 ** -14, max: 60_000, noNaN: true })
    const signed = fc.tuple(normal, fc.boolean()).map(([size, negative]) => (negative ? -size : size))
    const u = 2 ** -11
    fc.assert(
      fc.property(fc.array(fc.tuple(signed, signed), { maxLength: 40 }), pairs => {
        const off = pairs.reduce((sum, [a, b]) => sum + roundHalf(a) * roundHalf(b) - a * b, 0)
        const sizes = pairs.reduce((sum, [a, b]) => sum + Math.abs(a * b), 0)
        expect(Math.abs(off)).toBeLessThanOrEqual((2 * u + u * u + 1e-12) * sizes)
      }),
    )
  })

  it('should be refused in one line, with the remedy, by an adapter without it', () => {
    expect(missingHalf({ adapter: 'card', features: ['shader-f16'] })).toBeUndefined()
    expect(missingHalf({ adapter: 'card', features: ['subgroups'] })).toEqual({
      what: 'backend gpu:webgpu:half: the adapter card has no feature shader-f16',
      remedy: 'use gpu:webgpu, which multiplies in float32',
    })
  })
})

const present = gpuBackendsUnderTest.includes('gpu:webgpu') && !missingHalf((await openWebgpu())!)

describe.skipIf(!present)('products in half precision on WebGPU', () => {
  const product = async (a: Float32Array, b: Float32Array, [m, k, n]: readonly [number, number, number], half: boolean) => {
    const backend = await createGpu('webgpu', { abilities: { half } })
    return tensor(a, [m, k], { backend })
      .matmul(tensor(b, [k, n], { backend }))
      .data()
  }

  it.each([36, 37])('should be within the bound of their exact values, over %i terms', async k => {
    const [m, n] = [9, 12]
    const a = Float32Array.from({ length: m * k }, (_, i) => 3 * Math.sin(i + 1))
    const b = Float32Array.from({ length: k * n }, (_, i) => 10 ** -(i % 7) * Math.cos(i))
    const actual = await product(a, b, [m, k, n], true)
    let furthest = 0
    for (let i = 0; i < m; i++)
      for (let j = 0; j < n; j++) {
        let [exact, bound] = [0, 0]
        for (let l = 0; l < k; l++) {
          const [x, y] = [a[i * k + l]!, b[l * n + j]!]
          const [dx, dy] = [halfError(x, 2 ** -10), halfError(y, 2 ** -10)]
          exact += x * y
          bound += Math.abs(x) * dy + Math.abs(y) * dx + dx * dy + k * 2 ** -24 * Math.abs(x * y)
        }
        const off = Math.abs(actual[i * n + j]! - exact)
        expect(off).toBeLessThanOrEqual(bound)
        furthest = Math.max(furthest, off / bound)
      }
    expect(furthest, 'operands are rounded').toBeGreaterThan(0.01)
  })

  it('should be off by less than 4e-4 of the root mean square of products of uniform operands', async () => {
    const [m, k, n] = [32, 36, 32]
    const [a, b] = ['a', 'b'].map(name => Float32Array.from(uniform(foldIn(key(0), name), m * k), u => u - 0.5))
    const [half, single] = [await product(a!, b!, [m, k, n], true), await product(a!, b!, [m, k, n], false)]
    const rms = (values: readonly number[]): number => Math.sqrt(values.reduce((sum, v) => sum + v * v, 0) / values.length)
    const error = rms(Array.from(half, (v, i) => v - single[i]!)) / rms([...single])
    expect(error).toBeLessThan(4e-4)
    expect(error).toBeGreaterThan(1e-4)
  })

  it('should multiply and add what half precision holds in float32, without further rounding', async () => {
    const [m, k, n] = [3, 36, 4]
    const a = Float32Array.from({ length: m * k }, (_, i) => 2047 - i)
    const b = Float32Array.from({ length: k * n }, (_, i) => (i % 3) - 1 + (i % 5 === 0 ? 200 : 0))
    expect(await product(a, b, [m, k, n], true)).toEqual(await product(a, b, [m, k, n], false))
  })

  /** Sizes of rows, columns and images: from the least gradients that a sure classifier gives to what half precision cannot hold. */
  const powers = [0, -60, 40, -30, 17]
  const scaled = (values: readonly number[], perSet: number): number[] =>
    values.map((value, i) => value * 2 ** powers[Math.floor(i / perSet) % powers.length]!)
  const draws = (name: string, count: number): number[] => Array.from(uniform(foldIn(key(1), name), count), u => Math.fround(u - 0.5))

  it.each([false, true])(
    'should scale a result exactly with its row of the left and its column of the right, transposed: %s',
    async transposed => {
      const backend = await createGpu('webgpu', { abilities: { half: true } })
      const [m, k, n] = [5, 9, 5]
      const [a, b] = [draws('a', m * k), draws('b', n * k)]
      const multiply = async (left: readonly number[], right: readonly number[]): Promise<readonly number[]> => {
        const [rows, columns] = [tensor(left, [m, k], { backend }), tensor(right, [n, k], { backend })]
        const [first, second] = transposed ? [rows.permute([1, 0]).mul(1), columns] : [rows, columns.permute([1, 0]).mul(1)]
        return [...(await ops.matmul(first, second, { transposeA: transposed, transposeB: transposed }).data())]
      }
      const [plain, both] = [await multiply(a, b), await multiply(scaled(a, k), scaled(b, k))]
      expect(both).toEqual(plain.map((value, i) => value * 2 ** (powers[Math.floor(i / n)]! + powers[i % n]!)))
    },
  )

  it('should scale what an image, its gradient or all weights give exactly with them', async () => {
    const backend = await createGpu('webgpu', { abilities: { half: true } })
    const [images, channels, side] = [5, 2, 4]
    const perImage = channels * side * side
    const shape = [images, channels, side, side]
    const given = { stride: [1, 1], padding: [1, 1, 1, 1], groups: 1 } as const
    const [x, dy, w] = [draws('x', images * perImage), draws('dy', images * perImage), draws('w', channels * channels * 9)]
    const put = (values: readonly number[], dims: readonly number[]) => tensor(values, dims, { backend })
    const values = async (t: ReturnType<typeof put>): Promise<readonly number[]> => [...(await t.data())]
    const small = (all: readonly number[]): number[] => all.map(value => value * 2 ** -60)
    const filters = [channels, channels, 3, 3]
    for (const [input, run] of [
      [x, (from: readonly number[], by: readonly number[]) => ops.conv2d(put(from, shape), put(by, filters), { padding: 1 })],
      [
        dy,
        (from: readonly number[], by: readonly number[]) =>
          ops.conv2dInputGrad(put(from, shape), put(by, filters), { ...given, inputShape: shape }),
      ],
    ] as const) {
      const plain = await values(run(input, w))
      expect(await values(run(scaled(input, perImage), w))).toEqual(scaled(plain, perImage))
      expect(await values(run(input, small(w)))).toEqual(small(plain))
    }
    const weightGrad = (left: readonly number[], right: readonly number[]) =>
      values(ops.conv2dWeightGrad(put(left, shape), put(right, shape), { ...given, weightShape: filters }))
    const plain = await weightGrad(x, dy)
    expect(await weightGrad(small(x), dy)).toEqual(small(plain))
    expect(await weightGrad(x, small(dy))).toEqual(small(plain))
  })

  it('should be a backend by a name of its own, so that results tell', async () => {
    const backend = await loadBackend('gpu:webgpu:half')
    expect(backend.name).toBe('gpu:webgpu:half')
    const x = tensor([1 + 2 ** -10 + 2 ** -13], [1, 1], { backend })
    const ones = tensor([1, 1, 1, 1], [1, 4], { backend })
    const read = async (y: typeof x) => (await y.data())[0]
    expect(await read(x.matmul(ones)), 'only products round').not.toBe(await read(ops.mul(x, ones)))
  })
})
