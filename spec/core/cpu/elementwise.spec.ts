import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { createHeap } from '../../../core/backends/cpu/heap.ts'
import { elementwise } from '../../../core/backends/cpu/wasm/elementwise.ts'
import { setExactArithmetic } from '../../../core/backends/cpu/wasm/link.ts'
import { derivative } from '../../../core/expr/derivative.ts'
import { evaluate } from '../../../core/expr/emitJs.ts'
import * as E from '../../../core/expr/expr.ts'
import { runs } from '../../support/replay.ts'
import { binaries, unaries } from '../expr/arbitrary.ts'
import { difference, make, runKernel, size, values } from './arrays.ts'

const heap = createHeap({ maximumPages: 2048 })
const x = E.input(0)
const y = E.input(1)

/** The definition: numpy broadcasting, element by element in double precision. */
const expected = (
  expr: E.Expr,
  inputs: readonly { shape: readonly number[]; data: Float32Array }[],
  shape: readonly number[],
  params: number[],
) =>
  Array.from({ length: size(shape) }, (_, flat) => {
    const elements = inputs.map(input => {
      let rest = flat
      let index = 0
      let step = 1
      for (let axis = 1; axis <= shape.length; axis++) {
        const n = shape[shape.length - axis]!
        const own = input.shape[input.shape.length - axis] ?? 1
        if (own !== 1) index += (rest % n) * step
        step *= own
        rest = Math.floor(rest / n)
      }
      return input.data[index]!
    })
    return evaluate(expr, elements, params)
  })

const compare = (expr: E.Expr, inputShapes: readonly (readonly number[])[], shape: readonly number[], params: number[] = []) => {
  const inputs = inputShapes.map((s, k) => ({ shape: s, data: values(size(s), k + 1) }))
  const actual = runKernel(heap, elementwise, { inputs, shape, attributes: { expr, params } })
  return difference(actual!, expected(expr, inputs, shape, params))
}

describe('elementwise', () => {
  afterEach(() => setExactArithmetic(false))

  it('should equal the definition for random broadcast shapes up to rank 6', () => {
    const axis = fc.tuple(fc.integer({ min: 1, max: 5 }), fc.boolean(), fc.boolean(), fc.boolean())
    const expr = E.add(E.mul(x, y), E.mul(E.param(0), E.input(2)))
    fc.assert(
      fc.property(fc.array(axis, { maxLength: 6 }), fc.nat(6), (axes, drop) => {
        const shape = axes.map(([n]) => n)
        const keeps = [1, 2, 3] as const
        const inputShapes = keeps.map(i => axes.map(a => (a[i] ? a[0] : 1)))
        // Leading axes of size 1 may be left out.
        while (inputShapes[2]!.length > 0 && inputShapes[2]![0] === 1 && inputShapes[2]!.length > drop) inputShapes[2]!.shift()
        expect(compare(expr, inputShapes, shape, [0.25])).toBeLessThan(1e-6)
      }),
      { numRuns: runs(300) },
    )
  })

  it.each([
    [
      [2, 6, 4, 4],
      [1, 6, 1, 1],
    ],
    [
      [2, 6, 8, 8],
      [2, 6, 1, 1],
    ],
    [
      [3, 5, 3, 3],
      [3, 1, 1, 1],
    ],
    [[2, 3, 5, 7], []],
    [[7, 10], [10]],
    [
      [7, 3],
      [7, 1],
    ],
    [[1, 1, 1, 1], [1]],
    [[65], [65]],
    [[], []],
  ])('should add %j and %j both ways round', (a, b) => {
    expect(compare(E.sub(x, y), [a, b], a)).toBeLessThan(1e-6)
    expect(compare(E.sub(x, y), [b, a], a)).toBeLessThan(1e-6)
  })

  it.each([false, true])('should equal the definition for every function and comparison, exact arithmetic %s', exact => {
    setExactArithmetic(exact)
    for (const u of unaries) expect(compare(u(x), [[37]], [37]), E.exprKey(u(x))).toBeLessThan(1e-6)
    for (const b of binaries) {
      expect(compare(b(x, y), [[37], [37]], [37]), E.exprKey(b(x, y))).toBeLessThan(1e-6)
      expect(compare(b(x, E.constant(0.5)), [[37]], [37]), E.exprKey(b(x, E.constant(0.5)))).toBeLessThan(1e-6)
      expect(compare(b(E.constant(0.5), x), [[37]], [37]), E.exprKey(b(E.constant(0.5), x))).toBeLessThan(1e-6)
    }
    for (const c of [E.lt(x, y), E.eq(y, y), E.floor(x)])
      expect(compare(E.select(c, E.add(x, c), E.sub(y, c)), [[6, 5], [5]], [6, 5])).toBeLessThan(1e-6)
  })

  it('should equal the definition for a function and its derivative in one expression', () => {
    const silu = E.mul(x, E.sigmoid(x))
    const both = E.add(E.mul(silu, derivative(silu, 0)), E.select(E.lt(x, E.param(1)), derivative(E.erf(x), 0), E.param(0)))
    expect(compare(both, [[3, 4, 5]], [3, 4, 5], [2, 0.5])).toBeLessThan(2e-6)
  })

  it('should let NaN and infinities through min and max', () => {
    const data = Float32Array.of(NaN, Infinity, -Infinity, 1, NaN)
    const inputs = [
      { shape: [5], data },
      { shape: [5], data: Float32Array.of(1, NaN, 0, NaN, NaN) },
    ]
    for (const expr of [E.max(x, y), E.min(x, y), E.max(x, E.constant(0)), E.min(E.constant(0), x)])
      expect(
        difference(
          runKernel(heap, elementwise, { inputs, shape: [5], attributes: { expr, params: [] } })!,
          expected(expr, inputs, [5], []),
        ),
      ).toBe(0)
  })

  it('should allow the output to be an input of the same shape', () => {
    const a = make(heap, [3, 7], values(21, 1))
    elementwise(heap, [a], a, { expr: E.mul(x, E.constant(2)), params: [] })
    expect(heap.f32(a.pointer, 21)).toEqual(values(21, 1).map(v => 2 * v))
  })

  it('should decline integers, shapes that do not broadcast, and accept empty arrays', () => {
    const a = make(heap, [4])
    const attributes = { expr: E.add(x, y), params: [] }
    expect(elementwise(heap, [{ ...a, dtype: 'int32' }, a], a, attributes)).toBe(false)
    expect(elementwise(heap, [{ ...a, shape: [3] }, a], a, attributes)).toBe(false)
    expect(elementwise(heap, [{ ...a, shape: [0] }, a], { ...a, shape: [0] }, attributes)).toBe(true)
  })
})
