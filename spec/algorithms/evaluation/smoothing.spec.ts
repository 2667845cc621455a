import { beforeAll, describe, expect, it } from 'vitest'
import type { Defence } from '../../../algorithms/evaluation/defence.ts'
import { certifiedAccuracy, certify, denoisedClassifier, noisyCounts, predict } from '../../../algorithms/evaluation/smoothing.ts'
import { smoothingSources } from '../../../algorithms/randomness/drawName.ts'
import { createDraws } from '../../../algorithms/randomness/draws.ts'
import { type Tensor, tensor, useBackend } from '../../../core/index.ts'
import { normalQuantile } from '../../../core/random/normalQuantile.ts'
import { expectNear } from '../../support/numbers.ts'
import { linearClassifier, pixels } from '../fixtures.ts'

const weights = [1, -2, 0.5, 2]
/** Class 1 where w x + b > 0: no noise changes its boundary, so the exact radius is the distance |w x + b| / |w|. */
const bias = 0.4
let binary: (images: Tensor) => Tensor
beforeAll(async () => {
  await useBackend('reference')
  const columns = tensor(
    weights.flatMap(w => [0, w]),
    [4, 2],
  )
  binary = linearClassifier(columns, tensor([0, bias], [1, 2]))
})
const linear: Defence = x => binary(x)
const drawsOf = (count: number, seed = 5) =>
  createDraws({ seed, images: Array.from({ length: count }, (_, i) => i), registered: smoothingSources })
const copies = (image: readonly number[], count: number): Tensor =>
  tensor(Array.from({ length: count }, () => image).flat(), [count, 1, 2, 2])
const distance = (image: readonly number[]) => (image.reduce((sum, x, i) => sum + x * weights[i]!, 0) + bias) / Math.hypot(...weights)

describe('certify', () => {
  it('should exceed the exact radius of a linear classifier for at most a share alpha of certificates', async () => {
    // n = 200 certificates, each too large with probability at most 0.05: more than 10 + 5.5 sqrt(9.5) = 27 happen with probability 1e-6.
    const image = [0.8, 0.2, 0.5, 0.4]
    const exact = distance(image)
    const certificates = await certify(linear, copies(image, 200), drawsOf(200), { sigma: 0.4, samples: 60, selection: 10, alpha: 0.05 })
    const right = certificates.filter(({ answer }) => answer === 1)
    expect(right.length).toBeGreaterThan(150)
    expect(certificates.filter(({ radius }) => radius > exact).length).toBeLessThanOrEqual(27)
    // Nor do they leave half of it: the bound of 60 samples lies 0.07 below the probability 0.94.
    const mean = right.reduce((sum, { radius }) => sum + radius, 0) / right.length
    expect(mean).toBeGreaterThan(exact / 2)
    expect(mean).toBeLessThan(exact)
  })

  it('should abstain on the boundary, but for a share alpha of images', async () => {
    // 200 images of probability 1/2: more than 27 answers at alpha 0.05 happen with probability 1e-6.
    const image = [0, 0.2, 0, 0]
    expectNear(distance(image), 0, 1e-12)
    const certificates = await certify(linear, copies(image, 200), drawsOf(200), { sigma: 0.4, samples: 40, selection: 4, alpha: 0.05 })
    expect(certificates.filter(({ answer }) => answer !== null).length).toBeLessThanOrEqual(27)
    for (const { answer, radius, probability } of certificates)
      expect([answer === null, radius === 0]).toEqual(Array(2).fill(probability <= 0.5))
  })

  it('should certify sigma Phi^-1(alpha^(1/n)) where every noise gives the same answer', async () => {
    const sure: Defence = x => binary(x.mul(0).add(1))
    const [certificate] = await certify(sure, copies([0, 0, 0, 0], 1), drawsOf(1), { sigma: 0.25, samples: 50, selection: 2, alpha: 0.01 })
    expect(certificate!.answer).toBe(1)
    expectNear(certificate!.radius, 0.25 * normalQuantile(0.01 ** (1 / 50)), 1e-12)
    // The paper's alpha of 0.001 where none is given.
    const [usual] = await certify(sure, copies([0, 0, 0, 0], 1), drawsOf(1), { sigma: 0.25, samples: 50, selection: 2 })
    expectNear(usual!.probability, 0.001 ** (1 / 50), 1e-12)
  })

  it('should bound the probability of the class that was guessed, whatever the other draws prefer', async () => {
    const fickle: Defence = (x, draws) => binary(x.mul(0).add(draws.context.purpose === 'select' ? 1 : -1))
    const certificates = await certify(fickle, copies([0, 0, 0, 0], 1), drawsOf(1), { sigma: 0.25, samples: 50, selection: 2 })
    expect(certificates).toEqual([{ answer: null, radius: 0, probability: 0 }])
  })

  it('should guess the class on other draws than those that bound its probability, none of them repeated', async () => {
    const seen: string[] = []
    const spy: Defence = (x, draws) => {
      seen.push(`${draws.context.purpose} ${x.dataSync().join()}`)
      return binary(x)
    }
    await certify(spy, copies([0.5, 0.5, 0.5, 0.5], 1), drawsOf(1), { sigma: 0.4, samples: 6, selection: 3 })
    expect(seen.map(call => call.split(' ')[0])).toEqual([...Array(3).fill('select'), ...Array(6).fill('report')])
    expect(new Set(seen.map(call => call.split(' ')[1])).size).toBe(9)
  })

  it('should give an image the certificate that it has alone', async () => {
    const options = { sigma: 0.4, samples: 30, selection: 5 }
    const images = pixels(3, [3, 1, 2, 2])
    const together = await certify(linear, images, drawsOf(3), options)
    const alone = await certify(linear, images.slice([2, 0, 0, 0], [1, 1, 2, 2]), drawsOf(3).forImages([2]), options)
    expect(alone).toEqual([together[2]])
  })

  it('should refuse noise or samples that are none', async () => {
    await expect(certify(linear, copies([0, 0, 0, 0], 1), drawsOf(1), { sigma: 0, samples: 5 })).rejects.toThrow('got 0 and 100')
    await expect(certify(linear, copies([0, 0, 0, 0], 1), drawsOf(1), { sigma: 1, samples: 0.5 })).rejects.toThrow('got 1 and 0.5')
  })
})

describe('noisyCounts', () => {
  it('should add noise of deviation sigma and not clamp it', async () => {
    const values: number[] = []
    const spy: Defence = x => {
      values.push(...x.dataSync())
      return binary(x)
    }
    await noisyCounts(spy, copies([0, 0, 0, 0], 50), drawsOf(50), { sigma: 0.3, samples: 10 })
    // n = 2000: the variance is within 5.5 sqrt(2 / n) = 17 % but for 4e-8.
    expectNear(values.reduce((sum, v) => sum + v * v, 0) / values.length / 0.09, 1, 0.174)
    expectNear(values.filter(v => v < 0).length / values.length, 0.5, 5.5 * Math.sqrt(0.25 / 2000))
  })

  it('should refuse an answer that is not a number', async () => {
    const broken: Defence = x => binary(x).mul(Number.NaN)
    await expect(noisyCounts(broken, copies([0, 0, 0, 0], 1), drawsOf(1), { sigma: 1, samples: 1 })).rejects.toThrow('NaN on draw 0')
  })
})

describe('predict', () => {
  it('should answer clear images, and at most a share alpha of those on the boundary', async () => {
    const o = { sigma: 0.2, samples: 40, alpha: 0.05 }
    expect(await predict(linear, copies([1, 0, 1, 1], 3), drawsOf(3), o)).toEqual([1, 1, 1])
    expect(await predict(linear, copies([0, 1, 0, 0], 3), drawsOf(3), o)).toEqual([0, 0, 0])
    // As for certify: more than 27 of 200 with probability 1e-6.
    const boundary = await predict(linear, copies([0, 0.2, 0, 0], 200), drawsOf(200), o)
    expect(boundary.filter(answer => answer !== null).length).toBeLessThanOrEqual(27)
  })
})

describe('the test of predict', () => {
  it('should be exact: 5 of 5 have the two-sided probability 1/16, which does not reject at 0.05, and 6 of 6 have 1/32', async () => {
    const sure: Defence = x => binary(x.mul(0).add(1))
    const answer = (samples: number) => predict(sure, copies([0, 0, 0, 0], 1), drawsOf(1), { sigma: 0.2, samples, alpha: 0.05 })
    expect([await answer(5), await answer(6)]).toEqual([[null], [1]])
  })
})

describe('a denoised classifier', () => {
  it('should classify what the denoiser makes of the noisy image', async () => {
    const denoiser = (noisy: Tensor) => noisy.mul(0).add(tensor([0, 1, 0, 0], [1, 1, 2, 2]))
    const counts = await noisyCounts(denoisedClassifier(denoiser, binary), copies([1, 0, 1, 1], 2), drawsOf(2), { sigma: 1, samples: 3 })
    expect(counts).toEqual([
      [3, 0],
      [3, 0],
    ])
  })
})

describe('certifiedAccuracy', () => {
  it('should count right answers that hold up to the radius', () => {
    const certificates = [
      { answer: 1, radius: 0.5, probability: 0.9 },
      { answer: 0, radius: 0.5, probability: 0.9 },
      { answer: null, radius: 0, probability: 0.4 },
      { answer: 1, radius: 0.2, probability: 0.6 },
    ]
    const labels = [1, 1, 1, 1]
    expect([0, 0.2, 0.3, 0.5, 0.6].map(radius => certifiedAccuracy(certificates, labels, radius))).toEqual([0.5, 0.5, 0.25, 0.25, 0])
  })
})
