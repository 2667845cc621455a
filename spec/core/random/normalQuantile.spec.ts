import { all, create } from 'mathjs'
import { describe, expect, it } from 'vitest'
import { normalQuantile } from '../../../core/random/normalQuantile.ts'

const math = create(all, { number: 'BigNumber', precision: 140 })

/** Phi(x) = 1/2 + phi(x) (x + x^3/3 + x^5/(3 5) + ...): positive terms only, to 140 digits. */
const upperTailOracle = (z: number): number => {
  const x = math.bignumber(Math.abs(z))
  const square = x.mul(x)
  let term = x
  let sum = x
  for (let n = 3; term.div(sum).toNumber() > 1e-138; n += 2) {
    term = term.mul(square).div(n)
    sum = sum.add(term)
  }
  const density = square
    .div(-2)
    .exp()
    .div(math.bignumber(2).mul(math.bignumber(-1).acos()).sqrt())
  return math.bignumber(0.5).sub(density.mul(sum)).toNumber()
}

describe('normalQuantile', () => {
  it('should invert the distribution function to 2e-14 relative (5e-13 below 1e-20), against 140-digit arithmetic', () => {
    const tails = [0.5, 0.3, 0.0751, 0.0749, 0.025, 1e-3, 1e-6, 1.4e-11, 1.3e-11, 2 ** -53, 1e-30, 1e-100]
    for (const p of tails) {
      const z = normalQuantile(p)
      expect(Math.abs(upperTailOracle(z) / p - 1), `p = ${p}`).toBeLessThan(p < 1e-20 ? 5e-13 : 2e-14)
    }
  })

  it('should be odd around 1/2 on the grid of the normal draws, and infinite at the ends', () => {
    for (const k of [0, 1, 2 ** 30, 2 ** 51 - 1]) {
      const p = (k + 0.5) * 2 ** -52
      expect(normalQuantile(1 - p)).toBe(-normalQuantile(p))
    }
    expect([normalQuantile(0), normalQuantile(1), normalQuantile(-0.1)]).toEqual([-Infinity, Infinity, Number.NaN])
  })
})
