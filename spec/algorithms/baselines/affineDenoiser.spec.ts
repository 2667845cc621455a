import fc from 'fast-check'
import { inv, multiply } from 'mathjs'
import { beforeAll, describe, expect, it } from 'vitest'
import { affineDenoiser, expectedSquaredError, identityAffine, linearMmse } from '../../../algorithms/baselines/affineDenoiser.ts'
import { bestGaussianBlur, gaussianBlur } from '../../../algorithms/baselines/gaussianBlur.ts'
import { plainlyPurifiedClassifier, purifyPlain } from '../../../algorithms/baselines/noiseAndDenoise.ts'
import { oneStepDenoiser } from '../../../algorithms/baselines/oneStepDenoiser.ts'
import { pixelSigma } from '../../../algorithms/diffusion/noiseLevel.ts'
import { momentsOf } from '../../../algorithms/linearAlgebra/moments.ts'
import { purify } from '../../../algorithms/purification/purify.ts'
import { paperTimesteps } from '../../../algorithms/purification/timesteps.ts'
import { createDraws } from '../../../algorithms/randomness/draws.ts'
import { dwBoth } from '../../../algorithms/randomness/lockSets.ts'
import { ops, tensor, useBackend, valueAndGrad } from '../../../core/index.ts'
import { expectAllNear, expectNear } from '../../support/numbers.ts'
import { realBetween } from '../../support/realBetween.ts'
import { runs } from '../../support/replay.ts'
import { gaussian, linearClassifier, pixels, purifierOf, schedule, smallEpsilon } from '../fixtures.ts'

beforeAll(async () => {
  await useBackend('reference')
})

const n = 4
const rows = fc.array(realBetween(0, 1), { minLength: 6 * n, maxLength: 6 * n })
const noise = fc.double({ min: 0.05, max: 2, noNaN: true })
const matrixRows = (values: Float64Array) => [0, 1, 2, 3].map(i => [...values.slice(i * n, (i + 1) * n)])

describe('linearMmse', () => {
  it('should be mu + C (C + sigma^2 I)^-1 (y - mu), the conditional mean of Gaussian images', () => {
    fc.assert(
      fc.property(rows, noise, (values, sigma) => {
        const moments = momentsOf(values, n)
        const c = matrixRows(moments.covariance)
        const noisy = c.map((row, i) => row.map((x, j) => x + (i === j ? sigma ** 2 : 0)))
        const gain = multiply(c, inv(noisy)) as unknown as number[][]
        const { matrix, offset } = linearMmse(moments, sigma)
        expectAllNear(matrix, gain.flat(), 1e-10)
        const y = [0.3, -0.4, 1.2, 0.5]
        const expected = gain.map((row, i) => moments.mean[i]! + row.reduce((sum, w, j) => sum + w * (y[j]! - moments.mean[j]!), 0))
        expectAllNear(affineDenoiser({ matrix, offset })(tensor(y, [1, 1, 2, 2])).dataSync(), expected, 1e-10)
      }),
      { numRuns: runs(50) },
    )
  })

  it('should have the least expected error: any change of it costs', () => {
    const change = fc.array(realBetween(-0.5, 0.5), { minLength: n * n + n, maxLength: n * n + n })
    fc.assert(
      fc.property(rows, noise, change, (values, sigma, by) => {
        const moments = momentsOf(values, n)
        const best = linearMmse(moments, sigma)
        const other = { matrix: best.matrix.map((w, i) => w + by[i]!), offset: best.offset.map((b, i) => b + by[n * n + i]!) }
        const least = expectedSquaredError(best, moments, sigma)
        expect(expectedSquaredError(other, moments, sigma)).toBeGreaterThanOrEqual(least - 1e-12)
      }),
    )
  })

  it('should need noise', () => {
    expect(() => linearMmse(momentsOf([0, 1], 1), 0)).toThrow('sigma > 0, got 0')
  })
})

describe('expectedSquaredError', () => {
  it('should be the mean of |A(x + noise) - x|^2 over images and over noise that has exactly the variance sigma^2', () => {
    // +-sigma sqrt(n) along each axis has mean 0 and covariance sigma^2 I; the covariance of the formula divides by N - 1.
    const images = [0.1, 0.5, 0.9, 0.3, 0.2, 0.2, 0.7, 0.4, 0.6, 0, 1, 0.8]
    const moments = momentsOf(images, n)
    const biased = { ...moments, covariance: moments.covariance.map(x => (x * 2) / 3) }
    const [sigma, affine] = [0.4, { ...gaussianBlur([1, 2, 2], 0.6), offset: Float64Array.of(0.1, 0, -0.2, 0.05) }]
    let total = 0
    for (let image = 0; image < 3; image++) {
      for (let axis = 0; axis < n; axis++) {
        for (const sign of [-1, 1]) {
          const x = images.slice(image * n, (image + 1) * n)
          const y = x.map((value, i) => value + (i === axis ? sign * sigma * Math.sqrt(n) : 0))
          const estimate = affineDenoiser(affine)(tensor(y, [1, 1, 2, 2])).dataSync()
          total += x.reduce((sum, value, i) => sum + (estimate[i]! - value) ** 2, 0) / (3 * n * 2)
        }
      }
    }
    expectNear(expectedSquaredError(affine, biased, sigma), total, 1e-12)
  })
})

describe('gaussianBlur', () => {
  it('should keep constant channels, mix no channels, and weigh neighbours by the Gaussian', () => {
    const shape = [2, 3, 4] as const
    const { matrix } = gaussianBlur(shape, 0.8)
    const image = [...new Array<number>(12).fill(0.3), ...new Array<number>(12).fill(0.7)]
    const blurred = affineDenoiser(gaussianBlur(shape, 0.8))(tensor(image, [1, ...shape])).dataSync()
    expectAllNear(blurred, image, 1e-12)
    // Pixel (1, 1) of the first channel: its right neighbour and the one below.
    const [at, right, below] = [5, 6, 9].map(j => matrix[5 * 24 + j]!) as [number, number, number]
    expectNear(right / at, Math.exp(-1 / (2 * 0.8 ** 2)), 1e-12)
    expectNear(below / at, Math.exp(-1 / (2 * 0.8 ** 2)), 1e-12)
  })

  it('should be the identity at width 0, and refuse less', () => {
    expect(gaussianBlur([1, 2, 2], 0)).toEqual(identityAffine(4))
    expect(() => gaussianBlur([1, 2, 2], -1)).toThrow('got -1')
  })

  it('should be chosen wider for more noise and never be better than the linear MMSE', () => {
    const smooth = Array.from({ length: 20 * 16 }, (_, i) => 0.5 + 0.4 * Math.sin(i * 0.37 + Math.floor(i / 16)))
    const moments = momentsOf(smooth, 16)
    const widths = [0.02, 0.2, 1].map(sigma => {
      const { width, affine } = bestGaussianBlur([1, 4, 4], moments, sigma)
      const error = expectedSquaredError(affine, moments, sigma)
      expect(expectedSquaredError(linearMmse(moments, sigma), moments, sigma)).toBeLessThan(error)
      for (const other of [width + 0.1, Math.max(0, width - 0.1)].filter(w => w !== width && w <= 3))
        expect(expectedSquaredError(gaussianBlur([1, 4, 4], other), moments, sigma)).toBeGreaterThanOrEqual(error)
      return width
    })
    expect(widths[0]).toBeLessThan(widths[1]!)
    expect(widths[1]).toBeLessThan(widths[2]!)
  })
})

describe('affineDenoiser', () => {
  it('should refuse images of another size', () => {
    expect(() => affineDenoiser(identityAffine(4))(pixels(1, [2, 1, 3, 3]))).toThrow('made for images of 4 values, got [1,3,3]')
  })
})

describe('purifyPlain', () => {
  const moments = momentsOf([0.1, 0.5, 0.9, 0.3, 0.2, 0.2, 0.7, 0.4, 0.6, 0, 1, 0.8], 4)
  const sigma = 0.2
  const affine = linearMmse(moments, sigma)
  const draws = createDraws({ seed: 2, images: [7, 8], locks: dwBoth })

  it('should add the forward noise of the draws, denoise, and clamp', () => {
    const x = pixels(4, [2, 1, 2, 2])
    const noisy = ops.addScaled(x, 1, draws.normal('forward', [1, 2, 2]), sigma)
    const expected = affineDenoiser(affine)(noisy).clamp(0, 1).dataSync()
    expect([...purifyPlain({ sigma, denoiser: affineDenoiser(affine) }, x, draws).dataSync()]).toEqual([...expected])
  })

  it('should leave no pixel outside [0, 1]', () => {
    const purified = [...purifyPlain({ sigma: 3, denoiser: affineDenoiser(identityAffine(4)) }, pixels(4, [2, 1, 2, 2]), draws).dataSync()]
    expect([Math.min(...purified), Math.max(...purified)]).toEqual([0, 1])
  })

  it('should have the gradient W^T w where nothing is clamped', () => {
    const x = pixels(4, [2, 1, 2, 2], { low: 0.45, high: 0.55 })
    const weights = gaussian(6, 'w', [4, 1])
    const defence = plainlyPurifiedClassifier({ sigma: 0.01, denoiser: affineDenoiser(affine) }, linearClassifier(weights))
    const { gradient } = valueAndGrad((input: typeof x) => defence(input, draws).sum())(x)
    const w = weights.dataSync()
    const expected = [0, 1, 2, 3].map(j => [0, 1, 2, 3].reduce((sum, i) => sum + affine.matrix[i * 4 + j]! * w[i]!, 0))
    expectAllNear(gradient.dataSync(), [...expected, ...expected], 1e-12)
  })
})

describe('oneStepDenoiser', () => {
  it('should be the purifier of one step, with the noise of its timestep', () => {
    const epsilonTheta = smallEpsilon(3, 1)
    const intervals = paperTimesteps({ tStar: 0.15, steps: 1 })
    const draws = createDraws({ seed: 2, images: [7, 8] })
    const x = pixels(4, [2, 1, 3, 3])
    const sigma = pixelSigma(schedule, 149)
    const purified = purify(purifierOf(epsilonTheta, { intervals, reverse: { kind: 'ddim', eta: 0 } }), x, draws)
    const plain = purifyPlain({ sigma, denoiser: oneStepDenoiser({ epsilonTheta, schedule }, sigma) }, x, draws)
    expectAllNear(plain.dataSync(), purified.dataSync(), 1e-9)
  })

  it('should leave no pixel outside [0, 1]', () => {
    const estimate = oneStepDenoiser({ epsilonTheta: xT => xT.mul(0), schedule }, 0.3)(tensor([-0.5, 0.25, 0.5, 1.5], [1, 1, 2, 2]))
    expectAllNear(estimate.dataSync(), [0, 0.25, 0.5, 1], 1e-12)
  })

  it('should need noise', () => {
    expect(() => oneStepDenoiser({ epsilonTheta: smallEpsilon(3, 1), schedule }, 0)).toThrow('sigma > 0, got 0')
  })
})
