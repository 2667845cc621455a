import { gamma } from 'mathjs'
import { beforeAll, describe, expect, it } from 'vitest'
import { useBackend } from '../../core/index.ts'
import { normal } from '../../core/random/distributions.ts'
import { foldIn, key } from '../../core/random/key.ts'
import { chiSquareUniform, kolmogorovSmirnov, mean, normalCdf } from '../core/random/statistics.ts'
import { backendsUnderTest } from '../support/backends.ts'
import { chiSquareBound, ksBound, standardErrors } from '../support/falseFailures.ts'
import { expectNear } from '../support/numbers.ts'
import { argsort, distinct, gaussian, type ImageShape, mapped, planesOf, type RbgmCase, tieBreakOf } from './rbgmCases.ts'

/** 4x4 images of one channel: many draws for one fixed order. */
const side = 4
const area = side * side
const drawsOf = (count: number, seed: number): RbgmCase => ({ shape: [count, 1, side, side], seed })

/** The same plane for every image. */
const repeated = (plane: ArrayLike<number>, count: number): number[] => Array.from({ length: count }, () => Array.from(plane)).flat()

/**
 * Mean and variance of the r-th smallest of n standard normal values, by the trapezoidal rule on its density
 * n! / ((r-1)! (n-r)!) Phi^(r-1) (1-Phi)^(n-r) phi, which for such an integrand is exact to rounding.
 */
const orderStatistic = (rank: number, n: number): { readonly mean: number; readonly variance: number } => {
  const step = 0.05
  const weight = gamma(n + 1) / (gamma(rank) * gamma(n - rank + 1))
  let [first, second] = [0, 0]
  for (let x = -9; x <= 9; x += step) {
    const p = normalCdf(x)
    const density = weight * p ** (rank - 1) * normalCdf(-x) ** (n - rank) * (Math.exp(-x * x * 0.5) / Math.sqrt(2 * Math.PI))
    first += x * density * step
    second += x * x * density * step
  }
  return { mean: first, variance: second - first ** 2 }
}

describe.each(backendsUnderTest)('RBGM of Gaussian noise on %s', backend => {
  beforeAll(() => useBackend(backend))

  // 5,000 draws. A ramp has probability 1 / 16!.
  it('should put the largest value anywhere with equal probability when all deltas are tied, and make no ramp (P10)', async () => {
    const given = drawsOf(5000, 10)
    const out = await mapped(given.shape, {
      delta: new Float64Array(5000 * area),
      z: gaussian(given, 'z'),
      tieBreak: tieBreakOf(given),
    })
    const orders = planesOf(out, given.shape).map(argsort)
    const counts = new Array<number>(area).fill(0)
    for (const order of orders) counts[order.at(-1)!]!++
    expect(chiSquareUniform(counts)).toBeLessThan(chiSquareBound('largest value anywhere (P10)', area - 1))
    expect(orders.filter(order => order.every((position, rank) => position === rank))).toEqual([])
  })

  // n = 1e5 values.
  it('should have a normal marginal whatever the order (P13)', async () => {
    const given = drawsOf(6250, 13)
    const delta = repeated(distinct(drawsOf(1, 13), 'delta'), 6250)
    const out = await mapped(given.shape, { delta, z: gaussian(given, 'z'), tieBreak: tieBreakOf(given) })
    expect(kolmogorovSmirnov(Float64Array.from(out), normalCdf)).toBeLessThan(ksBound('marginal of RBGM (P13)', out.length))
  })

  // 2,000 draws, 16 means.
  it('should have the mean of the order statistic at each rank, which is not 0 (P14)', async () => {
    const count = 2000
    const shape: ImageShape = [count, 1, side, side]
    const delta = distinct(drawsOf(1, 14), 'delta')
    const z = normal(foldIn(key(14), 'z'), count * area)
    const planes = planesOf(await mapped(shape, { delta: repeated(delta, count), z, tieBreak: new Float64Array(z.length) }), shape)
    const errors = standardErrors('order statistics of RBGM (P14)', area)
    argsort([...delta]).forEach((position, below) => {
      const expected = orderStatistic(below + 1, area)
      expectNear(mean(planes.map(plane => plane[position]!)), expected.mean, errors * Math.sqrt(expected.variance / count))
    })
    // Harter's table for n = 16: 1.76599.
    expectNear(orderStatistic(area, area).mean, 1.76599, 5e-6)
  })
})
