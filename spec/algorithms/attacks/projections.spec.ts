import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { l2Norm, type Norm, projectBall, projectImage, steepestDirection } from '../../../algorithms/attacks/projections.ts'
import { type Tensor, tensor, useBackend, zeros } from '../../../core/index.ts'
import { backendsUnderTest, isFloat32 } from '../../support/backends.ts'
import { expectAllNear } from '../../support/numbers.ts'
import { runs } from '../../support/replay.ts'
import { bits, gaussian, pixels } from '../fixtures.ts'

const norms = fc.constantFrom<Norm>('linf', 'l2')
const shapes = fc.tuple(
  fc.integer({ min: 1, max: 3 }),
  fc.integer({ min: 1, max: 3 }),
  fc.integer({ min: 1, max: 4 }),
  fc.integer({ min: 1, max: 4 }),
)
const radii = fc.constantFrom(0, 1e-3, 8 / 255, 0.5, 2)

const imagesOf = async (x: Tensor): Promise<Float64Array[]> => {
  const values = Float64Array.from(await x.data())
  const size = values.length / x.shape[0]!
  return Array.from({ length: x.shape[0]! }, (_, i) => values.slice(i * size, (i + 1) * size))
}
/** Of min(-0, 0) GLSL and WGSL may give either zero: the two are one value. */
const values = async (x: Tensor): Promise<number[]> => Array.from(await x.data(), value => value + 0)
const length = (values: Float64Array, norm: Norm): number => (norm === 'linf' ? Math.max(...values.map(Math.abs)) : Math.hypot(...values))

describe.each(backendsUnderTest)('projections on %s', backend => {
  const ulps = isFloat32(backend) ? 4 * 2 ** -23 : 4 * 2 ** -52
  const property = (check: (seed: number, at: { shape: number[]; norm: Norm; epsilon: number }) => Promise<void>) => async () => {
    await useBackend(backend)
    await fc.assert(
      fc.asyncProperty(fc.nat(1e6), shapes, norms, radii, (seed, shape, norm, epsilon) => check(seed, { shape, norm, epsilon })),
      { numRuns: runs(40) },
    )
  }

  it(
    'should project into the ball, and leave what is inside it bit for bit (P61)',
    property(async (seed, { shape, ...ball }) => {
      const delta = gaussian(seed, 'delta', shape)
      const projected = projectBall(delta, ball)
      for (const image of await imagesOf(projected)) expect(length(image, ball.norm)).toBeLessThanOrEqual(ball.epsilon * (1 + ulps))
      const largest = Math.max(...(await imagesOf(delta)).map(image => length(image, ball.norm)))
      expect(await bits(projectBall(delta, { norm: ball.norm, epsilon: largest * 1.001 }))).toBe(await bits(delta))
    }),
  )

  it(
    'should be idempotent, exactly for l_inf and up to rounding for l_2 (P61)',
    property(async (seed, { shape, ...ball }) => {
      const once = projectBall(gaussian(seed, 'delta', shape), ball)
      const twice = projectBall(once, ball)
      if (ball.norm === 'linf') expect(await values(twice)).toEqual(await values(once))
      else expectAllNear(await twice.data(), await once.data(), ulps)
    }),
  )

  it(
    'should bring no two perturbations further apart in l_2 (P61)',
    property(async (seed, { shape, ...ball }) => {
      const [a, b] = [gaussian(seed, 'a', shape), gaussian(seed, 'b', shape)]
      const before = await imagesOf(a.sub(b))
      const after = await imagesOf(projectBall(a, ball).sub(projectBall(b, ball)))
      after.forEach((difference, i) => {
        expect(length(difference, 'l2')).toBeLessThanOrEqual(length(before[i]!, 'l2') * (1 + ulps))
      })
    }),
  )

  it(
    'should only scale in l_2, each image by itself, and reach the sphere from outside (P61)',
    property(async (seed, { shape, epsilon }) => {
      const delta = gaussian(seed, 'delta', shape)
      const [before, after] = [await imagesOf(delta), await imagesOf(projectBall(delta, { norm: 'l2', epsilon }))]
      before.forEach((image, i) => {
        const factor = Math.min(1, epsilon / length(image, 'l2'))
        expectAllNear(
          after[i]!,
          image.map(value => value * factor),
          4 * ulps,
        )
      })
    }),
  )

  it(
    'should keep the image in the box and in the ball (P61)',
    property(async (seed, { shape, ...ball }) => {
      const x = pixels(seed, shape)
      const image = projectImage(x, gaussian(seed, 'delta', shape), ball)
      for (const value of await image.data()) expect(value >= 0 && value <= 1).toBe(true)
      for (const delta of await imagesOf(image.sub(x)))
        expect(length(delta, ball.norm)).toBeLessThanOrEqual(ball.epsilon * (1 + ulps) + ulps)
    }),
  )

  it(
    'should give a direction of unit size along the gradient, however small that is (P61)',
    property(async (seed, { shape, norm }) => {
      const gradient = gaussian(seed, 'g', shape)
      const expected = await imagesOf(steepestDirection(gradient, norm))
      for (const [i, image] of expected.entries()) {
        expect(Math.abs(length(image, norm) - 1)).toBeLessThanOrEqual(4 * ulps)
        const along = (await imagesOf(gradient))[i]!
        const size = length(along, 'l2')
        if (norm === 'l2')
          expectAllNear(
            image,
            along.map(value => value / size),
            4 * ulps,
          )
        else expect([...image]).toEqual([...along.map(Math.sign)])
      }
      const tiny = await imagesOf(steepestDirection(gradient.mul(2 ** -90), norm))
      expect(tiny).toEqual(expected)
    }),
  )

  it(
    'should give no direction, and no NaN, for a zero gradient (P61)',
    property(async (_seed, { shape, norm }) => {
      expect([...(await steepestDirection(zeros(shape), norm).data())].every(value => value === 0)).toBe(true)
      expect([...(await projectBall(zeros(shape), { norm, epsilon: 0 }).data())].every(value => value === 0)).toBe(true)
    }),
  )

  it('should project into the ball first and into the box then', async () => {
    await useBackend(backend)
    const [x, delta] = [tensor([0.875, 0.5], [1, 1, 1, 2]), tensor([0.375, 0.5], [1, 1, 1, 2])]
    // delta has norm 0.625: half of it stays.
    expectAllNear(await projectImage(x, delta, { norm: 'l2', epsilon: 0.3125 }).data(), [1, 0.75], 4 * ulps)
  })

  it('should take the norm of each image', async () => {
    await useBackend(backend)
    const x = gaussian(1, 'x', [3, 2, 2, 2])
    const norm = l2Norm(x)
    expect(norm.shape).toEqual([3, 1, 1, 1])
    expectAllNear(
      await norm.data(),
      (await imagesOf(x)).map(image => length(image, 'l2')),
      4 * ulps,
    )
  })

  it('should refuse a negative radius', async () => {
    await useBackend(backend)
    for (const epsilon of [-1e-9, Number.NaN]) {
      expect(() => projectBall(zeros([1, 1, 1, 1]), { norm: 'linf', epsilon })).toThrow(`projectBall: epsilon must be >= 0, got ${epsilon}`)
    }
  })
})
