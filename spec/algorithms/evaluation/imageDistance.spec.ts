import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { imageDistances } from '../../../algorithms/evaluation/imageDistance.ts'
import { ssim } from '../../../algorithms/evaluation/ssim.ts'
import { expectNear } from '../../support/numbers.ts'
import { realBetween } from '../../support/realBetween.ts'

const shape = [2, 4, 3] as const
const size = 24
const pixel = realBetween(0, 1)
const image = fc.array(pixel, { minLength: size, maxLength: size })
const options = { window: 3 }
const constant = (value: number) => new Array<number>(size).fill(value)

describe('ssim', () => {
  it('should be 1 for equal images, symmetric, and at most 1 in size', () => {
    fc.assert(
      fc.property(image, image, (a, b) => {
        expectNear(ssim(a, a, shape, options), 1, 1e-12)
        const value = ssim(a, b, shape, options)
        expectNear(ssim(b, a, shape, options), value, 1e-12)
        expect(Math.abs(value)).toBeLessThanOrEqual(1 + 1e-12)
      }),
    )
  })

  it('should be (2 a b + C1) / (a^2 + b^2 + C1) for constant images', () => {
    fc.assert(
      fc.property(pixel, pixel, (a, b) => {
        expectNear(ssim(constant(a), constant(b), shape, options), (2 * a * b + 1e-4) / (a ** 2 + b ** 2 + 1e-4), 1e-11)
      }),
    )
  })

  it('should weigh the window by a Gaussian and average over windows and channels', () => {
    // One row of three pixels seen by windows of one pixel: mean of the luminance terms, structure 1.
    const lone = (a: number, b: number) => (2 * a * b + 1e-4) / (a ** 2 + b ** 2 + 1e-4)
    expectNear(ssim([0, 0.5, 1], [1, 0.5, 0.2], [3, 1, 1], { window: 1 }), (lone(0, 1) + 1 + lone(1, 0.2)) / 3, 1e-12)
    // A window of two halves that are opposite: weights are equal by symmetry, so the moments are plain means.
    const [mean, variance] = [0.25, 0.0625]
    const expected = (2 * -variance + 9e-4) / (2 * variance + 9e-4)
    expect(mean).toBe(0.25)
    expectNear(ssim([0, 0.5, 0, 0.5], [0.5, 0, 0.5, 0], [1, 2, 2], { window: 2, deviation: 9 }), expected, 1e-12)
    // The centre of a 3 x 3 window weighs (1 / (1 + 2 e))^2 with e = exp(-1 / (2 deviation^2)).
    const weight = (1 / (1 + 2 * Math.exp(-1 / (2 * 0.7 ** 2)))) ** 2
    const dot = [0, 0, 0, 0, 1, 0, 0, 0, 0]
    const luminance = 1e-4 / (weight ** 2 + 1e-4)
    const structure = 9e-4 / (weight - weight ** 2 + 9e-4)
    expectNear(ssim(dot, new Array<number>(9).fill(0), [1, 3, 3], { window: 3, deviation: 0.7 }), luminance * structure, 1e-12)
  })

  it('should take by default the published window of 11 pixels with deviation 1.5', () => {
    const [a, b] = [11, 7].map(period => Float64Array.from({ length: 144 }, (_, i) => (i % period) / period)) as [
      Float64Array,
      Float64Array,
    ]
    expect(ssim(a, b, [1, 12, 12])).toBe(ssim(a, b, [1, 12, 12], { window: 11, deviation: 1.5 }))
  })

  it('should refuse a window that does not fit, as the published one does not into 8 x 8', () => {
    expect(() => ssim(new Float64Array(64), new Float64Array(64), [1, 8, 8])).toThrow('window of 11 pixels')
    expect(() => ssim([0], [0, 1], [1, 1, 1], { window: 1 })).toThrow('images of 1 and 2 values')
  })
})

describe('imageDistances', () => {
  it('should measure every image against the one in its place', () => {
    const a = [...constant(0.5), ...constant(0.2)]
    const b = [...constant(0.5), ...constant(0.2)]
    b[size] = 0.5
    b[size + 1] = 0.6
    const [same, other] = imageDistances(a, b, shape, options)
    expect(same).toMatchObject({ l2: 0, linf: 0, psnr: Number.POSITIVE_INFINITY })
    expectNear(same!.ssim, 1, 1e-12)
    expectNear(other!.l2, 0.5, 1e-12)
    expectNear(other!.linf, 0.4, 1e-12)
    expectNear(other!.psnr, 10 * Math.log10(size / 0.25), 1e-9)
    expect(other!.ssim).toBeLessThan(1)
  })

  it('should refuse sets of different sizes', () => {
    expect(() => imageDistances(new Float64Array(size), new Float64Array(2 * size), shape)).toThrow('sets of 24 and 48 values')
  })
})
