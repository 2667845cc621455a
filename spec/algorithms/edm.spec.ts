import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { churnedSigma, type Denoiser, heunStep, karrasSigmas, publishedChurn } from '../../algorithms/diffusion/edm.ts'
import { gamma, lambda } from '../../algorithms/diffusion/modulation.ts'
import { edmProcess, lambdas } from '../../algorithms/training/noiseProcess.ts'
import { ops, type Tensor, tensor, useBackend } from '../../core/index.ts'
import { expectNear } from '../support/numbers.ts'
import { realBetween } from '../support/realBetween.ts'
import { runs } from '../support/replay.ts'
import { mustNotDraw } from './diffusion/steps.ts'
import { schedule } from './fixtures.ts'

beforeAll(() => useBackend('reference'))

const pixel = (value: number): Tensor => tensor([value], [1, 1, 1, 1])
const pixelOf = (x: Tensor): number => x.dataSync()[0]!

/** The denoiser of images that are N(0, s^2), in closed form. */
const gaussianDenoiser =
  (s: number): Denoiser =>
  (x, sigma) =>
    x.mul(s ** 2 / (s ** 2 + sigma[0]! ** 2))

/** Heun along the levels, without noise. */
const integrate = (denoiser: Denoiser, sigmas: readonly number[]): number =>
  sigmas.slice(1).reduce((x, next, i) => pixelOf(heunStep(pixel(x), { denoiser, sigma: sigmas[i]!, next, z: mustNotDraw })), 1)

describe('EDM sampler (E6)', () => {
  it('should have noise levels that fall, end exactly, and are even in their rho-th root (P44)', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 }),
        fc.double({ min: 1e-3, max: 0.1, noNaN: true }),
        fc.double({ min: 0.2, max: 100, noNaN: true }),
        fc.double({ min: 0.5, max: 12, noNaN: true }),
        (steps, sigmaMin, sigmaMax, rho) => {
          const sigmas = karrasSigmas({ steps, sigmaMin, sigmaMax, rho })
          expect(sigmas).toHaveLength(steps + 1)
          expect(sigmas[0]).toBe(sigmaMax)
          if (steps > 1) expect(sigmas[steps - 1]).toBe(sigmaMin)
          expect(sigmas[steps]).toBe(0)
          sigmas.slice(1).forEach((sigma, i) => {
            expect(sigma).toBeLessThan(sigmas[i]!)
          })
          const roots = sigmas.slice(0, -1).map(sigma => sigma ** (1 / rho))
          roots.slice(2).forEach((root, i) => {
            expectNear(root + roots[i]!, 2 * roots[i + 1]!, 1e-9 * roots[0]!)
          })
        },
      ),
      { numRuns: runs(100) },
    )
  })

  it('should have the 18 levels of Karras et al. from 80 to 0.002 by default, even in the seventh root (P44)', () => {
    const roots = karrasSigmas({ steps: 18 }).map(sigma => sigma ** (1 / 7))
    const [first, last] = [80 ** (1 / 7), 0.002 ** (1 / 7)]
    roots.slice(0, -1).forEach((root, i) => {
      expectNear(root, first + (i / 17) * (last - first), 1e-12)
    })
  })

  it('should solve the linear flow of Gaussian images to second order: a quarter of the error with half the step (P44)', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.3, max: 2, noNaN: true }), s => {
        const denoiser = gaussianDenoiser(s)
        const error = (steps: number): number => {
          const levels = karrasSigmas({ steps, sigmaMax: 2, sigmaMin: 0.05 }).slice(0, -1)
          return integrate(denoiser, levels) - Math.sqrt((s ** 2 + 0.05 ** 2) / (s ** 2 + 2 ** 2))
        }
        const [coarse, fine] = [error(65), error(129)]
        expect(Math.abs(coarse)).toBeLessThan(2e-3)
        expect(coarse / fine).toBeGreaterThan(3.6)
        expect(coarse / fine).toBeLessThan(4.4)
      }),
      { numRuns: runs(8) },
    )
  })

  it('should end where Euler ends in the last step, which returns the denoised image', () => {
    const asked: number[] = []
    const denoiser: Denoiser = (x, sigma) => {
      asked.push(...sigma)
      return x.mul(0).add(0.25)
    }
    expectNear(pixelOf(heunStep(pixel(3), { denoiser, sigma: 0.5, next: 0, z: mustNotDraw })), 0.25, 1e-15)
    heunStep(pixel(3), { denoiser, sigma: 0.5, next: 0.2, z: mustNotDraw })
    expect(asked).toEqual([0.5, 0.5, 0.2])
  })

  it('should keep the noise level true when it churns: variance sigma^2 and what is added make the raised one', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.05, max: 3, noNaN: true }), realBetween(0, 40), (sigma, sChurn) => {
        const churned = churnedSigma(sigma, { sChurn }, 10)
        expectNear(churned / sigma, 1 + Math.min(sChurn / 10, Math.SQRT2 - 1), 1e-12)
        const seen: number[] = []
        const denoiser: Denoiser = x => {
          seen.push(pixelOf(x))
          return x
        }
        heunStep(pixel(0), { denoiser, sigma, next: 0, churned, sNoise: 1.5, z: () => pixel(1) })
        expectNear((seen[0]! / 1.5) ** 2 + sigma ** 2, churned ** 2, 1e-12 * churned ** 2)
      }),
      { numRuns: runs(100) },
    )
  })

  it('should be algorithm 2 of Karras et al. where it churns: both slopes from the raised level and the noisier image', () => {
    const [x, z, sigma, churned, next, sNoise] = [0.7, -0.4, 0.5, 0.6, 0.2, 1.1]
    const slope = (at: number, level: number): number => (at - level * Math.sin(at)) / level
    const xHat = x + Math.sqrt(churned ** 2 - sigma ** 2) * sNoise * z
    const euler = xHat + (next - churned) * slope(xHat, churned)
    const expected = xHat + ((next - churned) * (slope(xHat, churned) + slope(euler, next))) / 2
    const denoiser: Denoiser = (at, [level]) => ops.sin(at).mul(level!)
    expectNear(pixelOf(heunStep(pixel(x), { denoiser, sigma, next, churned, sNoise, z: () => pixel(z) })), expected, 1e-12)
  })

  it('should churn within its bounds only, and as published', () => {
    expect(publishedChurn).toEqual({ sChurn: 6, sMin: 0.01, sMax: 0.46, sNoise: 1.007 })
    expect([0.009, 0.01, 0.46, 0.47].map(sigma => churnedSigma(sigma, publishedChurn, 50) > sigma)).toEqual([false, true, true, false])
    expectNear(churnedSigma(0.1, publishedChurn, 50), 0.1 * (1 + 6 / 50), 1e-12)
    expect(churnedSigma(0.1, { sChurn: 0 }, 50)).toBe(0.1)
    for (const sigma of [1e-4, 1e4]) expectNear(churnedSigma(sigma, { sChurn: 1 }, 5), 1.2 * sigma, 1e-12 * sigma)
  })

  it('should refuse levels that do not fall and churn below nothing', () => {
    const o = { denoiser: gaussianDenoiser(1), z: mustNotDraw }
    expect(() => heunStep(pixel(1), { ...o, sigma: 0.1, next: 0.1 })).toThrow('needs 0 <= next < sigma <= churned, got 0.1, 0.1, 0.1')
    expect(() => heunStep(pixel(1), { ...o, sigma: 0.1, next: 0, churned: 0.05 })).toThrow('got 0, 0.1, 0.05')
    expect(() => karrasSigmas({ steps: 0 })).toThrow('got 0, 0.002, 80, 7')
    expect(() => karrasSigmas({ steps: 5, sigmaMin: 2, sigmaMax: 1 })).toThrow('0 < sigmaMin < sigmaMax')
    expect(() => churnedSigma(0.1, { sChurn: -1 }, 5)).toThrow('needs sChurn >= 0')
  })
})

describe('modulation of EDM (E7)', () => {
  const edmLambda = (sigma: number): number => lambdas(edmProcess(), [sigma])[0]!
  it('should be that of the VP timestep with gamma = 1 / sigma (P20)', () => {
    fc.assert(
      fc.property(fc.nat(999), t => {
        const sigma = 1 / gamma(schedule, t)
        expectNear(edmLambda(sigma), lambda(schedule, t), 1e-12)
        expectNear(edmLambda(sigma), Math.min(0.3, 0.03 / sigma), 1e-15)
      }),
      { numRuns: runs(200) },
    )
    expect([edmLambda(0.1), edmLambda(0.05), edmLambda(0.5)].map(value => Math.round(value * 1e9) / 1e9)).toEqual([0.3, 0.3, 0.06])
  })
})
