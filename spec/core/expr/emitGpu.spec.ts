import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createHostDevice } from '../../../core/backends/gpu/hostDevice.ts'
import { hostModes } from '../../../core/backends/gpu/modes.ts'
import { emitGpu } from '../../../core/expr/emitGpu.ts'
import { evaluate } from '../../../core/expr/emitJs.ts'
import { erf } from '../../../core/expr/erf.ts'
import * as E from '../../../core/expr/expr.ts'
import { runs } from '../../support/replay.ts'
import { binaries, expressions, smoothUnaries } from './arbitrary.ts'

const devices = Object.fromEntries(hostModes.map(mode => [mode, createHostDevice(mode)]))

/** The expression at every pair of values, by a gpu.js kernel. */
const compute = (mode: string, expr: E.Expr, inputs: readonly Float32Array[], params: readonly number[]): Float32Array => {
  const { statements, result, functions } = emitGpu(expr, { input: i => `x${i}[this.thread.x]`, param: i => `p${i}` })!
  const body = [...statements, `return ${result};`].join('\n')
  return devices[mode]!.launcher({ description: 'test', created: new Error() }).launch(
    { body, functions, grid: [inputs[0]!.length] },
    inputs,
    params,
  ) as Float32Array
}

const points = Float32Array.from([-90, -3, -1, -0.75, -1e-3, 0, 1e-4, 0.5, 0.999, 1, 1.001, 2.5, 6, 90])

describe.each(hostModes)('gpu.js source on %s', mode => {
  it('should equal the evaluated expression', () => {
    const bounded = [...smoothUnaries, E.abs, (x: E.Expr) => E.sqrt(E.add(E.constant(1), E.mul(x, x)))]
    const safeDiv = (a: E.Expr, b: E.Expr) => E.div(a, E.add(E.constant(1), E.mul(b, b)))
    const arbitrary = expressions(bounded, [...binaries.filter(b => b !== E.div && b !== E.eq), safeDiv])
    const xs = [Float32Array.of(-1.75, -0.5, 0.25, 1.5, 2), Float32Array.of(0.5, -1.25, 1.75, 0.125, -2)]
    fc.assert(
      fc.property(arbitrary, e => {
        const at = (shift: number) => Array.from(xs[0]!, (x, i) => evaluate(e, [x + shift, xs[1]![i]! + shift], [0.75]))
        const expected = at(0)
        const actual = compute(mode, e, xs, [0.75])
        // Where rounding of the inputs alone moves the value (a jump, a steep slope), float32 cannot be held to float64.
        const [below, above] = [at(-1e-5), at(1e-5)]
        for (const [i, value] of expected.entries()) {
          const steep = Math.max(Math.abs(above[i]! - value), Math.abs(below[i]! - value))
          if (steep > 1e-3 * (1 + Math.abs(value)) || Math.abs(value) > 1e6) continue
          expect(Math.abs(actual[i]! - value)).toBeLessThanOrEqual(1e-4 * (1 + Math.abs(value)))
        }
      }),
      { numRuns: runs(80) },
    )
  })

  it('should compare, choose and round exactly', () => {
    const [x, zero] = [E.input(0), E.constant(0)]
    const half = E.constant(-0.5)
    const cases = [
      E.lt(x, zero),
      E.le(x, zero),
      E.eq(x, zero),
      E.floor(x),
      E.select(x, half, zero),
      E.select(E.lt(x, zero), E.log(x), half),
    ]
    for (const e of cases) {
      const expected = Array.from(points, v => Math.fround(evaluate(e, [v])))
      expect(Array.from(compute(mode, e, [points], []))).toEqual(expected)
    }
  })

  it('should keep a NaN of the branch not taken out, and pass on the one of the branch taken', () => {
    const safeLog = E.select(E.lt(E.constant(0), E.input(0)), E.log(E.input(0)), E.constant(0))
    expect(Array.from(compute(mode, safeLog, [Float32Array.of(-1, 1)], []))).toEqual([0, 0])
    expect(compute(mode, E.log(E.input(0)), [Float32Array.of(-1)], [])[0]).toBeNaN()
    for (const choose of [E.min, E.max]) expect(compute(mode, choose(E.input(0), E.constant(1)), [Float32Array.of(NaN)], [])[0]).toBeNaN()
  })

  it('should keep erf and sigmoid accurate in their tails and at zero', () => {
    const actual = compute(mode, E.erf(E.input(0)), [points], [])
    for (const [i, x] of points.entries()) {
      expect(Math.abs(actual[i]! - erf(x))).toBeLessThanOrEqual(3e-7 * Math.max(Math.abs(x) < 1 ? Math.abs(erf(x)) : 1, 1e-30))
    }
    const sigmoid = compute(mode, E.sigmoid(E.input(0)), [points], [])
    for (const [i, x] of points.entries()) {
      const exact = evaluate(E.sigmoid(E.input(0)), [x])
      expect(Math.abs(sigmoid[i]! - exact)).toBeLessThanOrEqual(1e-6 * exact)
    }
  })
})

describe('emitGpu', () => {
  it('should leave constants that GPU languages cannot write to the definition', () => {
    const options = { input: () => 'x', param: () => 'p' }
    expect(emitGpu(E.add(E.input(0), E.constant(Infinity)), options)).toBeUndefined()
    expect(emitGpu(E.constant(NaN), options)).toBeUndefined()
    expect(emitGpu(E.constant(1e-30), options)).toEqual({ statements: ['const v0 = 1e-30;'], result: 'v0', functions: [] })
  })
})
