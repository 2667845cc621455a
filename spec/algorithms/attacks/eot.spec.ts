import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { eotGradient, halvesCosine, type SampledLoss } from '../../../algorithms/attacks/eot.ts'
import { purifiedClassifier } from '../../../algorithms/evaluation/defence.ts'
import { createDraws } from '../../../algorithms/randomness/draws.ts'
import { dwBoth, white } from '../../../algorithms/randomness/lockSets.ts'
import { grad, type Tensor, tidy, useBackend } from '../../../core/index.ts'
import { crossEntropy } from '../../../core/nn/crossEntropy.ts'
import { backendsUnderTest, isFloat32 } from '../../support/backends.ts'
import { standardErrors } from '../../support/falseFailures.ts'
import { dot, expectAllNear, largest } from '../../support/numbers.ts'
import { runs } from '../../support/replay.ts'
import { gaussian, linearClassifier, pixels, purifierOf, smallEpsilon } from '../fixtures.ts'

const shape = [2, 1, 3, 3]
const labels = [0, 2]

/** A purified linear classifier, its logits in the random world of each EoT sample. */
const logitsOf = (seed: number, { images = [4, 9], locks = white } = {}) => {
  const classifier = linearClassifier(gaussian(seed, 'w', [9, 3]).mul(3))
  const defence = purifiedClassifier(purifierOf(smallEpsilon(seed, 1)), classifier)
  const draws = createDraws({ seed, images, locks }).at({ purpose: 'attack' })
  return (x: Tensor, eotSample: number): Tensor => defence(x, draws.at({ eotSample }))
}

const meanOf = (tensors: readonly Tensor[]): Tensor => tensors.reduce((sum, t) => sum.add(t)).mul(1 / tensors.length)

describe.each(backendsUnderTest)('EoT on %s', backend => {
  const tolerance = isFloat32(backend) ? 1e-5 : 1e-12

  it('should be the mean of per-draw losses and gradients, and its halves those of even and odd draws (P58)', async () => {
    await useBackend(backend)
    await fc.assert(
      fc.asyncProperty(fc.nat(1e6), fc.integer({ min: 2, max: 5 }), async (seed, eotSamples) => {
        const logits = logitsOf(seed)
        const loss: SampledLoss = (x, k) => crossEntropy(logits(x, k), labels)
        const x = pixels(seed, shape)
        const estimate = eotGradient(loss, x, { eotSamples })
        const samples = Array.from({ length: eotSamples }, (_, k) => k)
        const gradients = samples.map(k => grad((input: Tensor) => loss(input, k).sum())(x))
        expectAllNear(await estimate.gradient.data(), await meanOf(gradients).data(), tolerance)
        expectAllNear(await estimate.loss.data(), await meanOf(samples.map(k => loss(x, k))).data(), tolerance)
        for (const parity of [0, 1]) {
          expectAllNear(await estimate.halves[parity]!.data(), await meanOf(gradients.filter((_, k) => k % 2 === parity)).data(), tolerance)
        }
      }),
      { numRuns: runs(8) },
    )
  })

  it('should not be the gradient of the loss of mean logits: a counterexample is generated (P58)', async () => {
    await useBackend(backend)
    const distance = async (seed: number): Promise<number> => {
      const logits = logitsOf(seed)
      const x = pixels(seed, shape)
      const averaged = await eotGradient((input, k) => crossEntropy(logits(input, k), labels), x, { eotSamples: 3 }).gradient.data()
      const ofMean = await grad((input: Tensor) => crossEntropy(meanOf([0, 1, 2].map(k => logits(input, k))), labels).sum())(x).data()
      return largest(averaged.map((value, i) => value - ofMean[i]!)) / largest(averaged)
    }
    const distances: number[] = []
    for (let seed = 0; seed < 10; seed++) distances.push(await distance(seed))
    expect(Math.max(...distances)).toBeGreaterThan(0.05)
  })

  it("should be one draw's gradient when all draws are the same, with halves that agree (P59)", async () => {
    await useBackend(backend)
    await fc.assert(
      fc.asyncProperty(fc.nat(1e6), fc.integer({ min: 1, max: 7 }), async (seed, eotSamples) => {
        const logits = logitsOf(seed, { locks: dwBoth })
        const loss: SampledLoss = (x, k) => crossEntropy(logits(x, k), labels)
        const x = pixels(seed, shape)
        const one = eotGradient(loss, x, { eotSamples: 1 })
        const many = eotGradient(loss, x, { eotSamples })
        expectAllNear(await many.gradient.data(), await one.gradient.data(), tolerance)
        expectAllNear(await many.loss.data(), await one.loss.data(), tolerance)
        for (const value of await halvesCosine(many.halves).data()) expect(Math.abs(value - 1)).toBeLessThan(tolerance)
      }),
      { numRuns: runs(8) },
    )
  })

  it("should not let one image's gradient depend on another image (P48)", async () => {
    await useBackend(backend)
    const loss = (seed: number, images: readonly number[]): SampledLoss => {
      const logits = logitsOf(seed, { images: [...images] })
      return (x, k) =>
        crossEntropy(
          logits(x, k),
          images.map(id => (id === 4 ? 0 : 2)),
        )
    }
    const x = pixels(3, shape)
    const alone = x.slice([1, 0, 0, 0], [1, 1, 3, 3])
    const together = await eotGradient(loss(3, [4, 9]), x, { eotSamples: 3 }).gradient.data()
    expect([...(await eotGradient(loss(3, [9]), alone, { eotSamples: 3 }).gradient.data())]).toEqual([...together.slice(9)])
  })

  it('should compare halves by their direction alone, image by image', async () => {
    await useBackend(backend)
    await fc.assert(
      fc.asyncProperty(fc.nat(1e6), fc.constantFrom(0.25, 8, 2 ** -90), async (seed, scale) => {
        const [a, b] = [gaussian(seed, 'a', shape), gaussian(seed, 'b', shape)]
        const [va, vb] = [await a.data(), await b.data()]
        const expected = [0, 9].map(from => {
          const [x, y] = [va.slice(from, from + 9), vb.slice(from, from + 9)]
          return dot(x, y) / Math.sqrt(dot(x, x) * dot(y, y))
        })
        expectAllNear(await halvesCosine([a, b.mul(scale)]).data(), expected, tolerance)
        expectAllNear(await halvesCosine([a.mul(scale), b.mul(scale)]).data(), expected, tolerance)
      }),
      { numRuns: runs(10) },
    )
  })

  it('should refuse a number of samples that is not a whole number >= 1', async () => {
    await useBackend(backend)
    for (const eotSamples of [0, -1, 2.5, Number.NaN]) {
      expect(() => eotGradient(x => x.sum([1, 2, 3]), pixels(1, shape), { eotSamples })).toThrow(
        `eot: the number of samples must be a whole number >= 1, got ${eotSamples}; the paper uses 10`,
      )
    }
  })
})

describe('EoT as an estimator', () => {
  /**
   * Copies of one image with different ids are independent replicates of the estimate. With R = 1500 of them, each variance
   * (summed over 9 pixels) is known to about sqrt((kurtosis + 1) / R) < 5 % relative, and the slope over log n in
   * 0 .. log 16 to 5 % / (log 2 sqrt(10)) < 0.025.
   */
  it('should have a variance that falls as 1 / n: slope -1 +- 0.15 in log-log, n = 1 .. 16, R = 1500 (P57)', async () => {
    await useBackend('reference')
    const replicates = 1500
    const ids = Array.from({ length: replicates }, (_, id) => id)
    const classifier = linearClassifier(gaussian(2, 'w', [4, 2]))
    const defence = purifiedClassifier(purifierOf(smallEpsilon(2, 1), { intervals: [{ t: 99, s: -1 }] }), classifier)
    const x = pixels(2, [1, 1, 2, 2], { low: 0.3, high: 0.7 }).broadcastTo([replicates, 1, 2, 2])
    const zeros = ids.map(() => 0)
    const points = [1, 2, 4, 8, 16].map(n => {
      const draws = createDraws({ seed: n, images: ids }).at({ purpose: 'attack' })
      const g = tidy(
        () => eotGradient((input, k) => crossEntropy(defence(input, draws.at({ eotSample: k })), zeros), x, { eotSamples: n }).gradient,
      ).dataSync()
      let variance = 0
      for (let pixel = 0; pixel < 4; pixel++) {
        const values = ids.map(id => g[4 * id + pixel]!)
        const mean = values.reduce((sum, value) => sum + value, 0) / replicates
        variance += values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (replicates - 1)
      }
      return { logN: Math.log(n), logVariance: Math.log(variance) }
    })
    const mean = (pick: (p: (typeof points)[number]) => number) => points.reduce((sum, p) => sum + pick(p), 0) / points.length
    const center = mean(p => p.logN)
    const slope = mean(p => (p.logN - center) * p.logVariance) / mean(p => (p.logN - center) ** 2)
    const bound = standardErrors('slope of the EoT variance (P57)') * 0.025
    expect(bound).toBeLessThan(0.15)
    expect(Math.abs(slope + 1)).toBeLessThan(bound)
  })

  /**
   * 400 pixels: one cosine has a standard deviation below 0.05 and the mean over 80 images below 0.0056; 0.04 is 7 standard
   * errors, exceeded with probability below 1e-11.
   */
  it('should have halves whose cosine is r n/2 / (1 + r n/2) for a signal-to-noise power ratio r', async () => {
    await useBackend('reference')
    const noiseShape = [80, 1, 20, 20]
    const signal = gaussian(1, 'signal', [1, 1, 20, 20]).sign()
    for (const { r, n } of [
      { r: 0.5, n: 4 },
      { r: 2, n: 10 },
      { r: 0.05, n: 2 },
    ]) {
      const loss: SampledLoss = (x, k) => x.mul(signal.add(gaussian(k, 'noise', noiseShape).mul(Math.sqrt(1 / r)))).sum([1, 2, 3])
      const cosine = halvesCosine(eotGradient(loss, pixels(1, noiseShape), { eotSamples: n }).halves).dataSync()
      const mean = Array.from(cosine).reduce((sum, value) => sum + value, 0) / 80
      expect(Math.abs(mean - (r * n) / 2 / (1 + (r * n) / 2))).toBeLessThan(0.04)
    }
  })
})
