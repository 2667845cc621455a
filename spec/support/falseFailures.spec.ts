import { describe, expect, it } from 'vitest'
import { chiSquareBound, type DrawnTest, falseFailures, ksBound, rateOf, standardErrors } from './falseFailures.ts'
import { expectNear } from './numbers.ts'
import { readSources } from './sources.ts'

describe('false failures', () => {
  it('should add up to less than 1e-6 over all tests whose outcome is drawn', () => {
    expect(Object.values(falseFailures).reduce((sum, rate) => sum + rate, 0)).toBeLessThan(1e-6)
  })

  it('should be used, each rate by one spec', () => {
    const specs = readSources('spec').filter(({ path }) => path.endsWith('.spec.ts') && !path.endsWith('/falseFailures.spec.ts'))
    for (const test of Object.keys(falseFailures)) {
      expect([test, specs.filter(({ text }) => text.includes(`'${test}'`)).length]).toEqual([test, 1])
    }
  })

  it('should divide a rate among the checks of a test and widen their bounds', () => {
    const test: DrawnTest = 'clean accuracy (P65)'
    expect(rateOf(test, 4)).toBe(falseFailures[test] / 4)
    expect(standardErrors(test, 4)).toBeGreaterThan(standardErrors(test))
    expect(ksBound(test, 100, 4)).toBeGreaterThan(ksBound(test, 100))
    // P(|z| > 5.61) = 2.0e-8.
    expectNear(standardErrors(test), 5.612, 1e-3)
    // ln(2 / 2e-8) = 18.42.
    expectNear(ksBound(test, 100), Math.sqrt(18.42 / 200), 1e-3)
    // Of two degrees of freedom P(X > x) = exp(-x / 2) exactly, and the bound is never below it.
    expect(chiSquareBound(test, 2)).toBeGreaterThan(-2 * Math.log(rateOf(test)))
    expect(chiSquareBound(test, 2)).toBeLessThan(-4 * Math.log(rateOf(test)))
  })
})
