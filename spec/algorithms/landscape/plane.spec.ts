import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { difference, longestPerturbation, planeAlong, pointIn, projectOnto } from '../../../algorithms/landscape/plane.ts'
import { dot, expectAllNear, expectNear } from '../../support/numbers.ts'
import { runs } from '../../support/replay.ts'

const vector = fc
  .array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 6, maxLength: 6 })
  .map(values => Float64Array.from(values))
const length = (u: Float64Array): number => Math.sqrt(dot(u, u))

/** An origin and two ends that are neither near it nor in line with it. */
const threePoints = fc.tuple(vector, vector, vector).filter(([origin, a, b]) => {
  const [u, v] = [difference(a, origin), difference(b, origin)]
  return length(u) > 0.1 && length(v) > 0.1 && Math.abs(dot(u, v)) < 0.99 * length(u) * length(v)
})

describe('plane', () => {
  it('should have orthonormal axes, with both ends on it: the first on the first axis, the second above it', () => {
    fc.assert(
      fc.property(threePoints, ([origin, a, b]) => {
        const plane = planeAlong(origin, difference(a, origin), difference(b, origin))
        const [u, v] = plane.axes
        expectAllNear([dot(u, u), dot(v, v), dot(u, v)], [1, 1, 0], 1e-9)
        const [first, second] = [projectOnto(plane, a), projectOnto(plane, b)]
        expectAllNear(first.point, [length(difference(a, origin)), 0], 1e-9)
        expect(second.point[1]).toBeGreaterThan(0)
        expectAllNear([first.residual, second.residual], [0, 0], 1e-9)
        expectAllNear(projectOnto(plane, origin).point, [0, 0], 0)
        expectAllNear(pointIn(plane, second.point), b, 1e-9)
      }),
      { numRuns: runs(50) },
    )
  })

  it('should split any image into its nearest point and a distance, as Pythagoras has it', () => {
    fc.assert(
      fc.property(threePoints, vector, ([origin, a, b], x) => {
        const plane = planeAlong(origin, difference(a, origin), difference(b, origin))
        const { point, residual } = projectOnto(plane, x)
        expectNear(length(difference(x, pointIn(plane, point))), residual, 1e-9)
        expectNear(point[0] ** 2 + point[1] ** 2 + residual ** 2, dot(difference(x, origin), difference(x, origin)), 1e-9)
      }),
      { numRuns: runs(50) },
    )
  })

  it('should have an axis of zeros for an attack that did not move', () => {
    const origin = Float64Array.of(0.5, 0.5)
    const plane = planeAlong(origin, Float64Array.of(0, 0), Float64Array.of(0, 2))
    expect(projectOnto(plane, Float64Array.of(1.5, 3.5))).toEqual({ point: [0, 3], residual: 1 })
  })

  it('should measure in lengths of the longest perturbation', () => {
    expect(longestPerturbation('linf', 0.15, 64)).toBeCloseTo(1.2, 12)
    expect(longestPerturbation('l2', 0.5, 64)).toBe(0.5)
  })
})
