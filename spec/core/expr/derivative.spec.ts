import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { derivative } from '../../../core/expr/derivative.ts'
import { evaluate } from '../../../core/expr/emitJs.ts'
import * as E from '../../../core/expr/expr.ts'
import { linearise } from '../../../core/expr/linear.ts'
import { runs } from '../../support/replay.ts'
import { expressions, smoothUnaries } from './arbitrary.ts'

const x = E.input(0)
const zero = E.constant(0)
const at = (e: E.Expr, ...inputs: number[]) => evaluate(e, inputs)

describe('derivative', () => {
  it('should equal the central difference of random expressions', () => {
    const safeDiv = (a: E.Expr, b: E.Expr) => E.div(a, E.add(E.constant(1), E.mul(b, b)))
    const safeSqrt = (e: E.Expr) => E.sqrt(E.add(E.constant(1), E.mul(e, e)))
    const arbitrary = expressions([...smoothUnaries, safeSqrt, E.abs], [E.add, E.sub, E.mul, safeDiv, E.min, E.max])
    // Off zero, where odd functions tie and the pinned subgradient need not be the slope.
    const coordinate = fc.integer({ min: -1000, max: 999 }).map(k => (k + 0.37) / 500)
    const point = fc.tuple(coordinate, coordinate)
    fc.assert(
      fc.property(arbitrary, point, fc.nat(1), (e, [x0, x1], index) => {
        const h = 1e-5
        const moved = (t: number) => evaluate(e, index === 0 ? [x0 + t, x1] : [x0, x1 + t], [0.7])
        const slope = (moved(h) - moved(-h)) / (2 * h)
        const bend = (moved(h) - 2 * moved(0) + moved(-h)) / h
        const coarse = (moved(2 * h) - moved(-2 * h)) / (4 * h)
        // Away from kinks and jumps, where one-sided slopes agree, and where the difference quotient is itself accurate.
        fc.pre(Math.abs(moved(0)) < 1e3 && Math.abs(slope) < 1e3 && Math.abs(bend) < 1e-4 && Math.abs(coarse - slope) < 1e-5)
        expect(Math.abs(evaluate(derivative(e, index), [x0, x1], [0.7]) - slope)).toBeLessThan(1e-4 * (1 + Math.abs(slope)))
      }),
      { numRuns: runs(500) },
    )
  })

  it('should be right for exp, log, sqrt, div, erf and tanh in closed form', () => {
    expect(at(derivative(E.exp(x), 0), 1)).toBeCloseTo(Math.E, 14)
    expect(at(derivative(E.log(x), 0), 4)).toBe(0.25)
    expect(at(derivative(E.sqrt(x), 0), 4)).toBe(0.25)
    expect(at(derivative(E.div(x, E.input(1)), 1), 3, 2)).toBe(-0.75)
    expect(at(derivative(E.erf(x), 0), 1)).toBeCloseTo((2 / Math.sqrt(Math.PI)) * Math.exp(-1), 14)
    expect(at(derivative(E.tanh(x), 0), 0.5)).toBeCloseTo(1 / Math.cosh(0.5) ** 2, 14)
  })

  it('should pin the subgradients', () => {
    expect(at(derivative(E.abs(x), 0), 0)).toBe(0)
    expect(at(derivative(E.max(x, zero), 0), 0)).toBe(0)
    expect(at(derivative(E.max(zero, x), 0), 0)).toBe(1)
    expect(at(derivative(E.min(x, zero), 0), 0)).toBe(0)
    expect(at(derivative(E.min(zero, x), 0), 0)).toBe(1)
    expect(at(derivative(E.floor(x), 0), 0.5)).toBe(0)
    expect(at(derivative(E.lt(x, zero), 0), 0.5)).toBe(0)
  })

  it('should keep a NaN of the branch not taken out of the result', () => {
    const safeLog = E.select(E.lt(zero, x), E.log(x), zero)
    expect(at(derivative(safeLog, 0), -1)).toBe(0)
    expect(at(derivative(safeLog, 0), 2)).toBe(0.5)
  })

  it('should stay linear in size when nodes are shared', () => {
    let e: E.Expr = x
    for (let i = 0; i < 60; i++) e = E.mul(E.sin(e), e)
    expect(linearise(e).steps.length).toBe(121)
    expect(linearise(derivative(e, 0)).steps.length).toBeLessThan(500)
  })

  it('should reuse the function value in its derivative', () => {
    const count = (e: E.Expr) => linearise(e).steps.filter(s => s.kind === 'unary' && s.name === 'sigmoid').length
    const silu = E.mul(x, E.sigmoid(x))
    expect(count(E.mul(silu, derivative(silu, 0)))).toBe(1)
    // Also when it was built twice.
    expect(count(E.mul(E.sigmoid(E.neg(x)), E.sigmoid(E.neg(x))))).toBe(1)
  })
})
