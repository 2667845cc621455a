import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createCpu } from '../../../core/backends/cpu/cpu.ts'
import { createGpu } from '../../../core/backends/gpu/gpu.ts'
import * as E from '../../../core/expr/expr.ts'
import { type Backend, dispose, loadBackend, ops, type Tensor, tensor, vjp } from '../../../core/index.ts'
import { adamw } from '../../../core/optim/index.ts'
import { backendsUnderTest, gpuBackendsUnderTest } from '../../support/backends.ts'
import { expectAllNear } from '../../support/numbers.ts'
import { runs } from '../../support/replay.ts'

const [a, b, c] = [E.input(0), E.input(1), E.input(2)]
const [s, t] = [E.param(0), E.param(1)]
const pool = [E.add(E.mul(a, s), b), E.mul(E.tanh(a), c), a, E.sub(E.mul(b, b), E.mul(t, E.mul(a, c))), E.max(E.mul(a, s), c), E.mul(s, t)]
const params = [0.7, -1.3]

/** Shapes that broadcast together: some beside and some beyond the size from which ops wait to be fused. */
const shapeCase = fc
  .record({
    shape: fc.constantFrom([1], [7], [3, 5], [2, 3, 4], [5, 1, 6], [3, 37, 41], [4, 32, 36]),
    stretched: fc.array(fc.nat(15), { minLength: 2, maxLength: 2 }),
  })
  .map(({ shape, stretched }) => [shape, ...stretched.map(bits => shape.map((n, axis) => ((bits >> axis) & 1 ? 1 : n)))])

const wave = (shape: readonly number[], seed: number, backend: Backend): Tensor =>
  tensor(
    Float32Array.from({ length: shape.reduce((x, y) => x * y, 1) }, (_, i) => Math.sin(seed + 1.7 * i)),
    shape,
    { backend },
  )

describe.each(backendsUnderTest)('elementwiseAll on %s', name => {
  const chosen = fc.uniqueArray(fc.constantFrom(...pool), { maxLength: 5 })

  it('should compute what each expression computes alone, in any broadcast shape', async () => {
    const backend = await loadBackend(name)
    await fc.assert(
      fc.asyncProperty(shapeCase, chosen, async (shapes, exprs) => {
        const inputs = shapes.map((shape, i) => wave(shape, i, backend))
        const together = ops.elementwiseAll(inputs, { exprs, params })
        for (const [i, expr] of exprs.entries()) {
          const alone = ops.elementwise(inputs, { expr, params })
          expect(together[i]!.shape).toEqual(alone.shape)
          const [actual, expected] = [await together[i]!.data(), await alone.data()]
          // A compiler of shaders may join roundings; elsewhere every bit is the same.
          if (name.startsWith('gpu')) expectAllNear(actual, expected, 1e-6)
          else expect(actual).toEqual(expected)
          alone.dispose()
        }
        dispose([inputs, together])
      }),
      {
        numRuns: runs(12),
        // More axes than a kernel loops over by itself.
        examples: [
          [
            [
              [2, 3, 2, 3, 2],
              [2, 1, 2, 1, 2],
              [1, 3, 1, 3, 1],
            ],
            pool.slice(0, 4),
          ],
        ],
      },
    )
  })

  it('should have the gradients of its expressions', async () => {
    const backend = await loadBackend(name)
    const inputs = [0, 1, 2].map(seed => wave([3, 5], seed, backend))
    const sums = (all: (xs: readonly Tensor[]) => readonly Tensor[]) =>
      vjp(
        (xs: readonly Tensor[]) =>
          all(xs)
            .reduce((x, y) => x.mul(y))
            .sum(),
        inputs,
      ).pullback(tensor([1], [], { backend }))
    const exprs = pool.slice(0, 4)
    const actual = sums(xs => ops.elementwiseAll(xs, { exprs, params }))
    const expected = sums(xs => exprs.map(expr => ops.elementwise(xs, { expr, params })))
    for (const [i, gradient] of expected.entries()) expectAllNear(await actual[i]!.data(), await gradient.data(), 1e-6)
  })
})

describe('elementwiseAll', () => {
  it('should refuse what elementwise refuses', async () => {
    const [cpu, reference] = [await loadBackend('cpu'), await loadBackend('reference')]
    const [x, y] = [wave([2], 0, cpu), wave([3], 0, cpu)]
    const call =
      (...inputs: Tensor[]) =>
      () =>
        ops.elementwiseAll(inputs, { exprs: [E.add(a, b)], params: [] })
    expect(call(x, y)).toThrow('elementwiseAll')
    expect(call(x, wave([2], 0, reference))).toThrow('elementwiseAll: inputs live on "cpu" and "reference"')
    y.dispose()
    expect(call(x, y)).toThrow('elementwiseAll: an input of shape [3] was disposed')
  })

  it('should update parameters and moments in place when the old ones are freed', () => {
    const backend = createCpu()
    const n = 8192
    const params = { w: wave([n], 0, backend) }
    const optimizer = adamw({ learningRate: 0.1 })
    const state = optimizer.init(params)
    const gradients = { w: wave([n], 1, backend) }
    const before = backend.memory()
    const updated = optimizer.update(params, gradients, state)
    dispose([gradients, params, state])
    expect(backend.memory()).toEqual({ bytesLive: (before.bytesLive * 3) / 4, bytesPeak: before.bytesPeak })
    dispose(updated)
    expect(backend.memory().bytesLive).toBe(0)
  })

  it.skipIf(!gpuBackendsUnderTest.includes('gpu:webgpu'))('should be one kernel for a parameter of any size on webgpu', async () => {
    const computed: string[] = []
    const backend = await createGpu('webgpu', { onComputed: (op, by) => computed.push(`${op} by ${by}`) })
    const params = { weight: wave([8192], 0, backend), bias: wave([9], 1, backend) }
    const optimizer = adamw({ learningRate: 0.1 })
    const { params: next } = optimizer.update(params, params, optimizer.init(params))
    for (const tensor of Object.values(next)) await tensor.data()
    expect(computed).toEqual(['elementwiseAll by WGSL', 'elementwiseAll by WGSL'])
  })
})
