import { describe, expect, it } from 'vitest'
import { contour } from '../../../algorithms/landscape/contours.ts'
import { lossSurface } from '../../../algorithms/landscape/lossSurface.ts'
import { planeAlong } from '../../../algorithms/landscape/plane.ts'
import { liveTensors, type Tensor, useBackend } from '../../../core/index.ts'
import { backendsUnderTest, isFloat32 } from '../../support/backends.ts'
import { expectAllNear, expectNear } from '../../support/numbers.ts'
import { gaussian } from '../fixtures.ts'

const shape = [1, 2, 2]
const origin = Float64Array.of(0.2, 0.4, 0.6, 0.8)
const plane = planeAlong(origin, Float64Array.of(3, 0, 4, 0), Float64Array.of(1, 2, 0, 0))
const coordinates = [-2, -0.5, 0, 1, 3]
const linear =
  (weights: () => Tensor) =>
  (x: Tensor): Tensor =>
    x.mul(weights()).sum([1, 2, 3])

describe.each(backendsUnderTest)('lossSurface on %s', backend => {
  it('should be affine, exactly its slopes along the axes, for a loss that is linear in x', async () => {
    await useBackend(backend)
    const weights = gaussian(1, 'weights', [1, ...shape])
    const surface = await lossSurface(
      linear(() => weights),
      plane,
      { shape, coordinates, worlds: 1, batch: 7 },
    )
    const values = await weights.data()
    const along = (u: Float64Array): number => u.reduce((sum, value, i) => sum + value * values[i]!, 0)
    const [start, a, b] = [origin, ...plane.axes].map(along)
    surface.forEach((line, j) => {
      expectAllNear(
        line,
        coordinates.map(c => start! + c * a! + coordinates[j]! * b!),
        isFloat32(backend) ? 1e-5 : 1e-12,
      )
    })
  })

  it('should average the worlds, the same at every point, whatever the batches, and leave nothing behind', async () => {
    await useBackend(backend)
    const seen = new Map<number, number>()
    const loss = (x: Tensor, world: number): Tensor => {
      seen.set(world, (seen.get(world) ?? 0) + x.shape[0]!)
      return x
        .square()
        .sum([1, 2, 3])
        .mul(world + 1)
    }
    const one = await lossSurface(x => loss(x, 1), plane, { shape, coordinates, worlds: 1 })
    seen.clear()
    const before = liveTensors()
    let work = 0
    const three = await lossSurface(loss, plane, { shape, coordinates, worlds: 3, batch: 4, onWork: images => (work += images) })
    expect(liveTensors()).toBe(before)
    expectAllNear(three.flat(), one.flat(), 1e-6)
    expect([...seen]).toEqual([0, 1, 2].map(world => [world, 25]))
    expect(work).toBe(75)
    await expect(lossSurface(loss, plane, { shape, coordinates, worlds: 0 })).rejects.toThrow('got 5 and 0; take 1 world')
  })
})

describe('contour', () => {
  const grid = (f: (x: number, y: number) => number, size = 6): number[][] =>
    Array.from({ length: size }, (_, j) => Array.from({ length: size }, (_, i) => f(i, j)))

  it('should lie where a linear function has the level, and cross the whole grid', () => {
    const f = (x: number, y: number): number => 2 * x + y
    const segments = contour(grid(f), 6.3)
    for (const [x, y] of segments.flat()) expectNear(f(x, y), 6.3, 1e-12)
    const total = segments.reduce((sum, [[x0, y0], [x1, y1]]) => sum + Math.hypot(x1 - x0, y1 - y0), 0)
    // From (3.15, 0) to (0.65, 5).
    expectNear(total, Math.hypot(2.5, 5), 1e-9)
  })

  it('should close around a hill: every end is the end of one other piece', () => {
    const ends = contour(
      grid((x, y) => Math.hypot(x - 2.6, y - 2.3)),
      1.7,
    )
      .flat()
      .map(([x, y]) => `${x.toFixed(9)},${y.toFixed(9)}`)
    const counts = [...new Set(ends)].map(end => ends.filter(other => other === end).length)
    expect(counts.length).toBeGreaterThan(6)
    expect(counts.every(count => count === 2)).toBe(true)
  })

  it('should keep the sides of a saddle apart, by its middle, and find nothing on a plain', () => {
    const pieces = (level: number) =>
      contour(
        [
          [1, 0],
          [0, 1],
        ],
        level,
      )
    expect(pieces(0.4)).toHaveLength(2)
    // The middle, 1/2, is above 0.4: the pieces cut off the two low corners.
    for (const [from, to] of pieces(0.4)) expect(Math.abs(from[0] - to[0]) + Math.abs(from[1] - to[1])).toBeLessThan(1)
    for (const [[x0, y0], [x1, y1]] of pieces(0.4)) expect((x0 + x1) / 2 > 0.5).toBe((y0 + y1) / 2 < 0.5)
    for (const [[x0, y0], [x1, y1]] of pieces(0.6)) expect((x0 + x1) / 2 > 0.5).toBe((y0 + y1) / 2 > 0.5)
    expect(
      contour(
        grid(() => 3),
        3,
      ),
    ).toEqual([])
  })
})
