import fc from 'fast-check'
import { all, type BigNumber, create } from 'mathjs'
import { describe, expect, it } from 'vitest'
import { compileElementwise, evaluate } from '../../../core/expr/emitJs.ts'
import { erf } from '../../../core/expr/erf.ts'
import * as E from '../../../core/expr/expr.ts'
import { runs } from '../../support/replay.ts'
import { binaries, expressions, unaries } from './arbitrary.ts'

/** Contiguous strides of `shape`, 0 on the axes of size 1 that `output` broadcasts. */
const broadcastStrides = (shape: readonly number[], output: readonly number[]): number[] => {
  let step = 1
  const strides = shape.map(() => 0)
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = shape[i] === 1 && output[i] !== 1 ? 0 : step
    step *= shape[i]!
  }
  return strides
}

describe('erf', () => {
  it('should have a relative error below 1e-15 against the series in 60 digits', () => {
    const big = create(all, { number: 'BigNumber', precision: 60 })
    const exact = (x: number): BigNumber => {
      const b = big.bignumber(x)
      const square = b.mul(b)
      let term = b
      let sum = b
      for (let n = 1; !term.abs().lt('1e-50'); n++) {
        term = term.mul(square).neg().div(n)
        sum = sum.add(term.div(2 * n + 1))
      }
      return sum.mul(2).div(big.acos(big.bignumber(-1)).sqrt())
    }
    for (let i = 1; i <= 120; i++) {
      const x = i * 0.0523
      const truth = exact(x)
      expect(big.bignumber(erf(x)).sub(truth).div(truth).abs().toNumber(), `erf(${x})`).toBeLessThan(1e-15)
    }
  })

  it('should be odd and saturate', () => {
    expect([erf(-0.5), erf(Infinity), erf(-Infinity), erf(NaN), erf(0)]).toEqual([-erf(0.5), 1, -1, NaN, 0])
  })
})

describe('emitted JavaScript', () => {
  it('should equal the evaluated expression, broadcast over random shapes', () => {
    const shapes = fc.array(fc.tuple(fc.integer({ min: 1, max: 3 }), fc.boolean(), fc.boolean()), { maxLength: 5 })
    fc.assert(
      fc.property(expressions(unaries, binaries), shapes, (e, axes) => {
        const shape = axes.map(([size]) => size)
        const shapesOf = [axes.map(([n, keep]) => (keep ? n : 1)), axes.map(([n, , keep]) => (keep ? n : 1))]
        const inputs = shapesOf.map((s, k) =>
          Float64Array.from({ length: s.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(7 * i + k) * 3),
        )
        const strides = shapesOf.map(s => broadcastStrides(s, shape))
        const output = new Float64Array(shape.reduce((a, b) => a * b, 1))
        compileElementwise(e, 2)(inputs, strides, shape, output, [0.3])
        const expected = output.map((_, flat) => {
          const at = [0, 0]
          let rest = flat
          for (let axis = shape.length - 1; axis >= 0; axis--) {
            for (let k = 0; k < 2; k++) at[k]! += (rest % shape[axis]!) * strides[k]![axis]!
            rest = Math.floor(rest / shape[axis]!)
          }
          return evaluate(e, [inputs[0]![at[0]!]!, inputs[1]![at[1]!]!], [0.3])
        })
        expect(output).toEqual(expected)
      }),
      { numRuns: runs(300) },
    )
  })

  it('should keep sigmoid accurate in both tails', () => {
    expect(evaluate(E.sigmoid(E.input(0)), [-745])).toBe(Math.exp(-745))
    expect(evaluate(E.sigmoid(E.input(0)), [-700]) / Math.exp(-700)).toBeCloseTo(1, 14)
    expect(evaluate(E.sigmoid(E.input(0)), [800])).toBe(1)
  })
})

describe('exprKey', () => {
  it('should be equal exactly for equal structure', () => {
    const build = () => E.mul(E.add(E.input(0), E.constant(2)), E.exp(E.input(1)))
    expect(E.exprKey(build())).toBe(E.exprKey(build()))
    expect(E.exprKey(E.sub(E.input(0), E.input(1)))).not.toBe(E.exprKey(E.sub(E.input(1), E.input(0))))
    expect(E.exprKey(E.add(E.input(0), E.constant(2)))).not.toBe(E.exprKey(E.add(E.input(0), E.param(0))))
  })
})
