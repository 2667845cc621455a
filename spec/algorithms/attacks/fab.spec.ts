import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fabRun } from '../../../algorithms/attacks/fab.ts'
import { normOf, projectHyperplane } from '../../../algorithms/attacks/hyperplane.ts'
import type { Norm } from '../../../algorithms/attacks/projections.ts'
import { liveTensors, useBackend } from '../../../core/index.ts'
import { normal, uniform } from '../../../core/random/distributions.ts'
import { foldIn, key } from '../../../core/random/key.ts'
import { backendsUnderTest } from '../../support/backends.ts'
import { dot, expectNear } from '../../support/numbers.ts'
import { realBetween } from '../../support/realBetween.ts'
import { runs } from '../../support/replay.ts'
import { gaussian, linearClassifier, pixels } from '../fixtures.ts'
import { features, problemOf, shape, twoClasses } from './attackFixtures.ts'

const norms = fc.constantFrom<Norm>('linf', 'l2')

const planeOf = (seed: number, size: number) => {
  const [k, x] = [key(seed), uniform(foldIn(key(seed), 'x'), size)]
  const w = normal(foldIn(k, 'w'), size).map((value, i) => (i % 5 === 4 ? 0 : value))
  return { x, w }
}

/** The same point by bisection of its one parameter t. */
const bisected = (x: Float64Array, { w, c, norm }: { w: Float64Array; c: number; norm: Norm }): Float64Array => {
  const side = Math.sign(c - dot(w, x))
  const at = (t: number) => x.map((value, i) => Math.min(1, Math.max(0, value + side * t * (norm === 'linf' ? Math.sign(w[i]!) : w[i]!))))
  let [low, high] = [0, 1e6]
  for (let k = 0; k < 200; k++) {
    const middle = (low + high) / 2
    if (side * (c - dot(w, at(middle))) > 0) low = middle
    else high = middle
  }
  return at(high)
}

describe('projectHyperplane', () => {
  it('should be the point that bisection finds, in the box and on the plane where the box reaches it', () => {
    fc.assert(
      fc.property(fc.nat(1e6), fc.integer({ min: 1, max: 12 }), norms, realBetween(-0.2, 1.2), (seed, size, norm, share) => {
        const { x, w } = planeOf(seed, size)
        const lowest = w.reduce((sum, value) => sum + Math.min(0, value), 0)
        const highest = w.reduce((sum, value) => sum + Math.max(0, value), 0)
        const c = lowest + share * (highest - lowest)
        const z = projectHyperplane(x, { w, c, norm })
        expect(z.every(value => value >= -1e-15 && value <= 1 + 1e-15)).toBe(true)
        expectNear(dot(w, z), Math.min(highest, Math.max(lowest, c)), 1e-9)
        if (share > 0 && share < 1)
          bisected(x, { w, c, norm }).forEach((value, i) => {
            expectNear(z[i]!, value, 1e-6)
          })
      }),
      { numRuns: runs(60) },
    )
  })

  it('should be nearer than every other point of the plane and the box', () => {
    fc.assert(
      fc.property(fc.nat(1e6), norms, (seed, norm) => {
        const { x, w } = planeOf(seed, 6)
        const other = uniform(foldIn(key(seed), 'other'), 6)
        const z = projectHyperplane(x, { w, c: dot(w, other), norm })
        const distance = (a: Float64Array) =>
          normOf(
            a.map((value, i) => value - x[i]!),
            norm,
          )
        expect(distance(z)).toBeLessThanOrEqual(distance(other) + 1e-12)
      }),
      { numRuns: runs(60) },
    )
  })

  it('should stay where it is for a plane without direction', () => {
    expect([...projectHyperplane(Float64Array.of(0.2, 0.7), { w: new Float64Array(2), c: 3, norm: 'l2' })]).toEqual([0.2, 0.7])
  })
})

describe.each(backendsUnderTest)('FAB on %s', backend => {
  it('should find the exact distance to the boundary of a linear classifier, also where the box cuts the way', async () => {
    await useBackend(backend)
    await fc.assert(
      fc.asyncProperty(fc.nat(1e6), norms, async (seed, norm) => {
        const [x, w] = [pixels(seed, shape), gaussian(seed, 'w', [features])]
        const margins = [...(await linearClassifier(w.reshape([features, 1]))(x).data())]
        const b = 0.3 - Math.min(...margins)
        const weights = Float64Array.from(await w.data())
        const pixel = Float64Array.from(await x.data())
        const { distance } = await fabRun(problemOf(x, [0, 0], twoClasses(w, b), { norm }), [1, 1], { steps: 6 })
        for (const i of [0, 1]) {
          const own = pixel.slice(i * features, (i + 1) * features)
          const lowest = weights.reduce((sum, value) => sum + Math.min(0, value), 0)
          if (lowest > -b - 0.01) continue
          const nearest = bisected(own, { w: weights, c: -b, norm })
          const exact = normOf(
            nearest.map((value, j) => value - own[j]!),
            norm,
          )
          // The last bisection is along the way to where FAB came in 6 steps, which need not be the shortest in the box.
          expect(distance[i]! / exact).toBeGreaterThan(1 - 1e-4)
          expect(distance[i]! / exact).toBeLessThan(1.02)
        }
      }),
      { numRuns: runs(6) },
    )
  })

  it('should return the image where it is within epsilon, and one in the ball where it is not', async () => {
    await useBackend(backend)
    const [x, w] = [pixels(5, shape, { low: 0.4, high: 0.6 }), gaussian(5, 'w', [features])]
    const margins = [...(await linearClassifier(w.reshape([features, 1]))(x).data())]
    const l1 = [...(await w.data())].reduce((sum, value) => sum + Math.abs(value), 0)
    // Both images are put at most 0.1 from the boundary, the nearer one at 0.1 - their difference.
    const b = 0.1 * l1 - Math.max(...margins)
    const near = margins.map(margin => (margin + b) / l1)
    expect(near.every(distance => distance > 0.02)).toBe(true)
    for (const epsilon of [0.101, Math.min(...near) / 2]) {
      const { result } = await fabRun(problemOf(x, [0, 0], twoClasses(w, b), { epsilon }), [1, 1], { steps: 5 })
      expect([...result.wrongShare]).toEqual(epsilon > 0.1 ? [1, 1] : [0, 0])
    }
  })

  it('should put an image that is misclassified already at distance 0, and give up where no class can be reached', async () => {
    await useBackend(backend)
    const x = pixels(2, shape)
    const w = gaussian(2, 'w', [features])
    const wrong = await fabRun(problemOf(x, [1, 1], twoClasses(w, 50)), [0, 0], { steps: 3 })
    expect([...wrong.distance]).toEqual([0, 0])
    const hopeless = await fabRun(problemOf(x, [0, 0], twoClasses(w, 50)), [1, 1], { steps: 3 })
    expect([...hopeless.distance]).toEqual([Infinity, Infinity])
    const before = liveTensors()
    const { result } = await fabRun(problemOf(x, [0, 0], twoClasses(w, 0.2)), [1, 1], { steps: 3 })
    result.xAdv.dispose()
    expect(liveTensors()).toBe(before)
  })
})
