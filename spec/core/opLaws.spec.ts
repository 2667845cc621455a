import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { apply } from '../../core/apply.ts'
import { type Backend, loadBackend, ops, ShapeError, sizeOf, type Tensor, tensor, tidy, valueAndGrad, vjp } from '../../core/index.ts'
import { type AnyOp, type HostArray, opRegistry } from '../../core/op.ts'
import { backendsUnderTest } from '../support/backends.ts'
import { absoluteDot, dot, expectAllNear, expectNear } from '../support/numbers.ts'
import { cotangentOf, directionOf, distinctInputs, type OpCase, opCases, tiedInputs } from '../support/opCase.ts'
import { runs } from '../support/replay.ts'

/** Laws that every registered op obeys. A new op is tested by being registered. */
const reference = await loadBackend('reference')

/** Float32 arithmetic on values of order 1: at most this much of the largest result. */
const float32Tolerance = 1e-5
const step = 1e-5
/** Relative error of a central difference of a smooth function at that step, in float64. */
const differenceTolerance = 1e-6

const upload = (arrays: readonly HostArray[], backend: Backend): Tensor[] =>
  arrays.map(({ values, shape }) => tensor(values, shape, { backend }))

const values = (x: Tensor): ArrayLike<number> => x.dataSync()

const outputShape = (op: AnyOp, inputs: readonly HostArray[], attributes: unknown) =>
  op.shape(
    inputs.map(x => x.shape),
    attributes,
  )

/** The op's definition on the host; elements it leaves out stay NaN. */
const define = (op: AnyOp, inputs: readonly HostArray[], attributes: unknown): Float64Array => {
  const shape = outputShape(op, inputs, attributes)
  const output = new Float64Array(sizeOf(shape)).fill(Number.NaN)
  op.define(inputs, { values: output, shape }, attributes)
  return output
}

/** Whether every element was computed, and from elements that exist. */
const complete = (values: Float64Array): boolean => !values.some(Number.isNaN)

const moved = (inputs: readonly HostArray[], direction: readonly Float64Array[], t: number): HostArray[] =>
  inputs.map(({ values, shape }, i) => ({ values: Float64Array.from(values, (x, j) => x + t * direction[i]![j]!), shape }))

const flat = (arrays: readonly ArrayLike<number>[]): number[] => arrays.flatMap(a => Array.from(a))

/** (f(x + h v) - f(x - h v)) / 2h for a scalar f of the inputs. */
const slope = (f: (inputs: HostArray[]) => number, inputs: readonly HostArray[], direction: readonly Float64Array[]): number =>
  (f(moved(inputs, direction, step)) - f(moved(inputs, direction, -step))) / (2 * step)

/** J^T u for the inputs, by the op's gradient rule. */
const pullback = (op: AnyOp, attributes: unknown, inputs: readonly Tensor[], u: Tensor): readonly Tensor[] =>
  vjp((xs: readonly Tensor[]) => apply(op, xs, attributes), inputs).pullback(u)

const flatten = (tensors: readonly Tensor[]): Tensor =>
  ops.concat(
    tensors.map(x => x.reshape([x.size])),
    0,
  )

/** Checks `law` on random calls of `op`; tensors made by it are freed. */
const checkLaw = (op: AnyOp, count: number, law: (given: OpCase, inputs: HostArray[]) => void): void =>
  fc.assert(
    fc.property(opCases(op), given => tidy(() => law(given, distinctInputs(given)))),
    { numRuns: runs(count) },
  )

describe.each([...opRegistry.keys()])('op %s', opName => {
  const op = opRegistry.get(opName)!

  it.each(backendsUnderTest)('should equal its definition on %s', async name => {
    const backend = await loadBackend(name)
    await fc.assert(
      fc.asyncProperty(opCases(op), fc.boolean(), async (given, tied) => {
        const inputs = tied ? tiedInputs(given) : distinctInputs(given)
        const { attributes } = given.testCase
        const uploaded = upload(inputs, backend)
        const result = apply(op, uploaded, attributes)
        const actual = await result.data()
        for (const x of [...uploaded, result]) x.dispose()
        const expected = define(op, inputs, attributes)
        expect(result.shape).toEqual(outputShape(op, inputs, attributes))
        expect(complete(expected)).toBe(true)
        expectAllNear(actual, expected, backend.floatType === 'float64' ? 0 : float32Tolerance)
      }),
      { numRuns: runs(20) },
    )
  })

  it('should have the gradient of its definition, by central differences', () => {
    checkLaw(op, 20, (given, inputs) => {
      const { attributes } = given.testCase
      const direction = directionOf(given, 'v')
      const u = cotangentOf(given, sizeOf(outputShape(op, inputs, attributes)))
      const expected = slope(moved => dot(define(op, moved, attributes), u), inputs, direction)
      const seed = tensor(u, outputShape(op, inputs, attributes), { backend: reference })
      const gradient = flat(pullback(op, attributes, upload(inputs, reference), seed).map(values))
      const v = flat(direction)
      expectNear(dot(gradient, v), expected, differenceTolerance * (Math.abs(expected) + absoluteDot(gradient, v) + 1e-3))
    })
  })

  it('should have adjoint forward and reverse derivatives', () => {
    checkLaw(op, 12, (given, inputs) => {
      const { attributes } = given.testCase
      const shape = outputShape(op, inputs, attributes)
      const xs = upload(inputs, reference)
      const u = cotangentOf(given, sizeOf(shape))
      const v = flat(directionOf(given, 'v'))
      const seed = tensor(u, shape, { backend: reference })
      const transposed = flat(pullback(op, attributes, xs, seed).map(values))
      // w -> J^T w is linear, so its own pullback is v -> J v.
      const linear = vjp((w: Tensor) => flatten(pullback(op, attributes, xs, w)), seed)
      const forward = values(linear.pullback(tensor(v, [v.length], { backend: reference })))
      expectNear(dot(forward, u), dot(v, transposed), 1e-10 * (1 + absoluteDot(v, transposed)))
    })
  })

  it('should have the second derivative of its definition, by central differences of the gradient', () => {
    checkLaw(op, 8, (given, inputs) => {
      const { attributes } = given.testCase
      const shape = outputShape(op, inputs, attributes)
      const u = tensor(cotangentOf(given, sizeOf(shape)), shape, { backend: reference })
      const v = flat(directionOf(given, 'v'))
      const along = tensor(v, [v.length], { backend: reference })
      const firstAlongV = (xs: readonly Tensor[]): Tensor =>
        flatten(pullback(op, attributes, xs, u))
          .mul(along)
          .sum()
      const second = valueAndGrad(firstAlongV)(upload(inputs, reference)).gradient
      const direction = directionOf(given, 'w')
      const expected = slope(moved => tidy(() => Number(values(firstAlongV(upload(moved, reference)))[0])), inputs, direction)
      const [g, w] = [flat(second.map(values)), flat(direction)]
      expectNear(dot(g, w), expected, differenceTolerance * (Math.abs(expected) + absoluteDot(g, w) + 1e-2))
    })
  })

  it('should have the same gradient on cpu as on reference, to float32', async () => {
    const cpu = await loadBackend('cpu')
    checkLaw(op, 12, (given, inputs) => {
      const { attributes } = given.testCase
      const shape = outputShape(op, inputs, attributes)
      const u = cotangentOf(given, sizeOf(shape)).map(Math.fround)
      const on = (backend: Backend) =>
        pullback(op, attributes, upload(inputs, backend), tensor(u, shape, { backend })).map(g => Array.from(values(g)))
      const [actual, expected] = [on(cpu), on(reference)]
      for (const [i, gradient] of expected.entries()) expectAllNear(actual[i]!, gradient, 3 * float32Tolerance)
    })
  })

  it('should refuse shapes it does not fit with a ShapeError, and compute every shape it takes', () => {
    const change = fc.record({ input: fc.nat(9), kind: fc.constantFrom('longer', 'shorter', 'extra', 'missing'), axis: fc.nat(9) })
    fc.assert(
      fc.property(opCases(op), change, ({ testCase, seed }, { input, kind, axis }) => {
        const at = input % testCase.inputs.length
        const inputs = testCase.inputs.map((x, i) => (i === at ? { ...x, shape: changedShape(x.shape, kind, axis) } : x))
        const arrays = distinctInputs({ testCase: { ...testCase, inputs }, seed })
        let refused: unknown
        try {
          outputShape(op, arrays, testCase.attributes)
        } catch (error) {
          refused = error
        }
        if (refused === undefined) expect(complete(define(op, arrays, testCase.attributes))).toBe(true)
        else {
          expect(refused).toBeInstanceOf(ShapeError)
          expect((refused as Error).message).toMatch(/^\w+: .*\[.*\].*; ./)
        }
      }),
      { numRuns: runs(30) },
    )
  })
})

const changedShape = (shape: readonly number[], kind: 'longer' | 'shorter' | 'extra' | 'missing', axis: number): number[] => {
  if (kind === 'extra' || shape.length === 0) return [2, ...shape]
  if (kind === 'missing') return shape.slice(1)
  return shape.map((n, i) => (i === axis % shape.length ? Math.max(1, kind === 'longer' ? n + 1 : n - 1) : n))
}
