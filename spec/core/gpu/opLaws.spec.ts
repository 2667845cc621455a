import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { apply } from '../../../core/apply.ts'
import { type Backend, liveTensors, loadBackend, ops, sizeOf, tensor, tidy, vjp } from '../../../core/index.ts'
import { type AnyOp, type HostArray, opRegistry } from '../../../core/op.ts'
import { gpuBackendsUnderTest } from '../../support/backends.ts'
import { expectAllNear } from '../../support/numbers.ts'
import { cotangentOf, distinctInputs, opCases, tiedInputs } from '../../support/opCase.ts'
import { runs } from '../../support/replay.ts'

/** The mode `cpu` is slow and runs the same source as the others: it skips what takes long. */
const quickBackends = gpuBackendsUnderTest.filter(name => name !== 'gpu:cpu')

/** Float32 arithmetic on values of order 1: at most this much of the largest result. */
const tolerance = 1e-5

const shapeOf = (op: AnyOp, inputs: readonly HostArray[], attributes: unknown) =>
  op.shape(
    inputs.map(x => x.shape),
    attributes,
  )

/** The op without its definition: only a kernel can compute it. */
const withoutDefinition = (op: AnyOp): AnyOp => ({
  ...op,
  define() {
    throw new Error(`${op.name} ran its definition`)
  },
})

const upload = (arrays: readonly HostArray[], backend: Backend) => arrays.map(({ values, shape }) => tensor(values, shape, { backend }))

describe.each([...opRegistry.keys()])('op %s', opName => {
  const op = opRegistry.get(opName)!

  it.each(gpuBackendsUnderTest)('should equal its definition on %s, computed by a kernel', async name => {
    const backend = await loadBackend(name)
    await fc.assert(
      fc.asyncProperty(opCases(op), fc.boolean(), async (given, tied) => {
        const inputs = tied ? tiedInputs(given) : distinctInputs(given)
        const { attributes } = given.testCase
        const shape = shapeOf(op, inputs, attributes)
        const expected = new Float64Array(sizeOf(shape))
        op.define(inputs, { values: expected, shape }, attributes)
        const result = tidy(() => apply(withoutDefinition(op), upload(inputs, backend), attributes))
        const actual = await result.data()
        result.dispose()
        expect(result.shape).toEqual(shape)
        expectAllNear(actual, expected, tolerance)
      }),
      { numRuns: runs(12) },
    )
  })

  it.each(quickBackends)('should have the same gradient on %s as on reference, to float32', async name => {
    const [gpu, reference] = [await loadBackend(name), await loadBackend('reference')]
    await fc.assert(
      fc.asyncProperty(opCases(op), async given => {
        const inputs = distinctInputs(given)
        const { attributes } = given.testCase
        const shape = shapeOf(op, inputs, attributes)
        const u = cotangentOf(given, sizeOf(shape)).map(Math.fround)
        const on = async (backend: Backend) => {
          const gradients = tidy(() =>
            vjp((xs: readonly ReturnType<typeof tensor>[]) => apply(op, xs, attributes), upload(inputs, backend)).pullback(
              tensor(u, shape, { backend }),
            ),
          )
          const values = await Promise.all(gradients.map(g => g.data()))
          for (const g of gradients) g.dispose()
          return values
        }
        const [actual, expected] = [await on(gpu), await on(reference)]
        for (const [i, gradient] of expected.entries()) expectAllNear(actual[i]!, gradient, 3 * tolerance)
      }),
      { numRuns: runs(4) },
    )
  })
})

describe.each(gpuBackendsUnderTest)('%s', name => {
  it('should run definitions where there is no kernel: empty arrays, many inputs', async () => {
    const backend = await loadBackend(name)
    const many = Array.from({ length: 9 }, (_, i) => tensor([i], [1], { backend }))
    expect(await ops.concat(many, 0).data()).toEqual(Float32Array.from({ length: 9 }, (_, i) => i))
    const empty = tensor([], [0, 3], { backend })
    expect(await ops.sum(empty, { axes: [0] }).data()).toEqual(new Float32Array(3))
    expect((await ops.exp(empty).data()).length).toBe(0)
  })

  it('should sum, multiply and normalise over more than 1000 elements', async () => {
    const backend = await loadBackend(name)
    const n = 2300
    const values = Float32Array.from({ length: 2 * n }, (_, i) => Math.fround(Math.sin(i)))
    const x = tensor(values, [2, n], { backend })
    const rows = [0, 1].map(row => Array.from(values.subarray(row * n, (row + 1) * n)))
    const total = (row: number[], f: (v: number) => number) => row.reduce((sum, v) => sum + f(v), 0)
    expectAllNear(
      await ops.sum(x, { axes: [1] }).data(),
      rows.map(row => total(row, v => v)),
      1e-5,
    )
    const products = rows.flatMap(a => rows.map(b => a.reduce((sum, v, i) => sum + v * b[i]!, 0)))
    expectAllNear(await ops.matmul(x, x, { transposeB: true }).data(), products, 1e-5)
    expectAllNear(await ops.max(x).data(), [values.reduce((a, b) => Math.max(a, b))], 0)
    const softened = await ops.softmax(x).data()
    const sums = rows.map(row => total(row, Math.exp))
    expectAllNear(
      softened.map(v => v * n),
      rows.flatMap((row, i) => row.map(v => (n * Math.exp(v)) / sums[i]!)),
      1e-5,
    )
  })

  // OpenGL keeps arrays in textures, whose sides are 16,384 elements at most.
  it('should take axes of any length, first and last', async () => {
    const backend = await loadBackend(name)
    const [long, short] = [16_390, 2]
    const values = Float32Array.from({ length: long * short }, (_, i) => i)
    const x = tensor(values, [long, short], { backend })
    const transposed = Float32Array.from(values, (_, i) => (i % long) * short + Math.floor(i / long))
    const row = tensor([0, 1], [short], { backend })
    const results = [x.permute([1, 0]), x.sub(row), x.sum([1])]
    expect(await results[0]!.data()).toEqual(transposed)
    expect(await results[1]!.data()).toEqual(values.map(value => value - (value % short)))
    expect(await results[2]!.data()).toEqual(Float32Array.from({ length: long }, (_, i) => 4 * i + 1))
    for (const t of [x, row, ...results]) t.dispose()
  })

  it('should be asynchronous to its users and account for its memory', async () => {
    const backend = await loadBackend(name)
    const [bytes, tensors] = [backend.memory().bytesLive, liveTensors()]
    const x = tensor([1, 2, 3], [3], { backend })
    expect(() => x.dataSync()).toThrow(`backend "${name}" is asynchronous; use await t.data()`)
    expect(backend.memory().bytesLive).toBe(bytes + 12)
    const y = x.add(x)
    expect(backend.memory().bytesLive).toBe(bytes + 24)
    for (const t of [x, y]) t.dispose()
    expect([backend.memory().bytesLive, liveTensors()]).toEqual([bytes, tensors])
  })
})

describe.each(quickBackends)('%s', name => {
  it('should index more than 2^24 elements', async () => {
    const backend = await loadBackend(name)
    const [rows, columns] = [2049, 8193]
    const size = rows * columns
    expect(size).toBeGreaterThan(2 ** 24)
    // Marks of powers of two at odd positions, where float32 indices would fall beside; sums of them are exact.
    const values = new Float32Array(size)
    const marks = [2 ** 24 + 1, 2 ** 24 + 2047, size - 2]
    for (const [i, at] of marks.entries()) values[at] = 2 ** i
    const x = tensor(values, [rows, columns], { backend })
    const row = tensor(new Float32Array(columns).fill(8), [columns], { backend })
    const sum = x.add(row)
    const shifted = await sum.data()
    expect(shifted.every((v, i) => v === values[i]! + 8)).toBe(true)
    for (const t of [sum, row]) t.dispose()
    const perColumn = await x.sum([0]).data()
    const expected = new Float32Array(columns)
    for (const [i, at] of marks.entries()) expected[at % columns]! += 2 ** i
    expect(perColumn).toEqual(expected)
    const ones = tensor(new Float32Array(columns).fill(1), [columns, 1], { backend })
    const perRow = new Float32Array(rows)
    for (const [i, at] of marks.entries()) perRow[Math.floor(at / columns)]! += 2 ** i
    expect(await x.matmul(ones).data()).toEqual(perRow)
    x.dispose()
  })
})
