import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { ddpmStep } from '../../algorithms/diffusion/ddpm.ts'
import { langevinStep } from '../../algorithms/diffusion/langevin.ts'
import { linearSchedule } from '../../algorithms/diffusion/schedule.ts'
import {
  paperVpSde,
  vpsdeBeta,
  vpsdeFlowStep,
  vpsdeLogMeanCoefficient,
  vpsdeMarginal,
  vpsdeReverseStep,
  vpsdeSample,
  vpsdeSigma,
} from '../../algorithms/diffusion/vpsde.ts'
import { faithfulVpsdeTimes, paperVpsdeTimes } from '../../algorithms/purification/vpsdeTimes.ts'
import { type Tensor, tensor, useBackend } from '../../core/index.ts'
import { dot, expectAllNear, expectNear } from '../support/numbers.ts'
import { runs } from '../support/replay.ts'
import { coefficients, mustNotDraw } from './diffusion/steps.ts'
import { gaussian, schedule } from './fixtures.ts'

beforeAll(() => useBackend('reference'))

const times = fc.double({ min: 1e-3, max: 1, noNaN: true })

const reverse = (t: number, dt: number) =>
  coefficients((xT, epsilon, z) => vpsdeReverseStep(paperVpSde, xT, { t, dt, epsilon, z }).x()) as [number, number, number]

describe('VP SDE (E5)', () => {
  it('should have the marginals of its own beta: d ln mean / dt = -beta / 2 and mean^2 + std^2 = 1', () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-3, max: 1 - 1e-3, noNaN: true }), t => {
        const h = 1e-5
        const slope = (vpsdeLogMeanCoefficient(paperVpSde, t + h) - vpsdeLogMeanCoefficient(paperVpSde, t - h)) / (2 * h)
        expectNear(slope, -vpsdeBeta(paperVpSde, t) / 2, 1e-8)
        const { mean, std } = vpsdeMarginal(paperVpSde, t)
        expectNear(mean ** 2 + std ** 2, 1, 1e-12)
        expectNear(vpsdeSigma(paperVpSde, t), std / mean, 1e-12)
      }),
      { numRuns: runs(100) },
    )
    expectNear(vpsdeSigma(paperVpSde, 0.1), 0.34, 5e-4)
    // Near 0 the variance is beta_min t; 1 - exp would have no digits left there.
    expectNear(vpsdeMarginal(paperVpSde, 1e-14).std ** 2 / 1e-15, 1, 1e-6)
  })

  it('should be within 8.2e-4 of the discrete schedule, abar at (i + 1) / N (P42)', () => {
    const distances = Array.from(schedule.alphasCumprod, (abar, i) => Math.abs(vpsdeMarginal(paperVpSde, (i + 1) / 1000).mean ** 2 - abar))
    expect(Math.max(...distances)).toBeLessThanOrEqual(8.2e-4)
    expect(Math.max(...distances)).toBeGreaterThan(7e-4)
  })

  it('should step as DDPM up to O(beta^2): a quarter of the difference with steps of half the length (P41)', () => {
    const difference = (t: number, timesteps: number): readonly [number, number] => {
      const discrete = linearSchedule({ timesteps, betaStart: paperVpSde.betaMin / timesteps, betaEnd: paperVpSde.betaMax / timesteps })
      // Here both have the same beta.
      const i = Math.round(t * (timesteps - 1))
      const ddpm = coefficients((xT, epsilon, z) => ddpmStep(discrete, xT, { t: i, s: i - 1, clip: false, epsilon, z }))
      const euler = reverse(i / (timesteps - 1), 1 / timesteps)
      return [Math.abs(euler[0] - ddpm[0]!), Math.abs(euler[1] - ddpm[1]!)]
    }
    fc.assert(
      fc.property(fc.integer({ min: 5, max: 99 }), percent => {
        const t = percent / 100
        const [coarse, fine] = [difference(t, 4000), difference(t, 8000)]
        // The factor of x_t is 1 + b / 2 instead of 1 / sqrt(1 - b), b = beta / N.
        expectNear(coarse[0] / (vpsdeBeta(paperVpSde, Math.round(t * 3999) / 3999) / 4000) ** 2, 3 / 8, 0.01)
        for (const k of [0, 1] as const) {
          expect(coarse[k] / fine[k]).toBeGreaterThan(3.5)
          expect(coarse[k] / fine[k]).toBeLessThan(4.5)
        }
      }),
      { numRuns: runs(60) },
    )
  })

  /** epsilonTheta of images that are N(0, s^2), which the networks would learn: std x / (mean^2 s^2 + std^2). */
  const gaussianEpsilon = (x: number, t: number, s: number): number => {
    const { mean, std } = vpsdeMarginal(paperVpSde, t)
    return (std * x) / (mean ** 2 * s ** 2 + std ** 2)
  }
  const pixel = (value: number): Tensor => tensor([value], [1, 1, 1, 1])
  const integrate = (kind: 'sde' | 'flow', s: number, steps: number): number =>
    paperVpsdeTimes({ tStar: 0.5, steps }).reduce((x, { t, dt }) => {
      const o = { t, dt, epsilon: pixel(gaussianEpsilon(x, t, s)), z: mustNotDraw }
      const next = kind === 'sde' ? vpsdeReverseStep(paperVpSde, pixel(x), o).xMean : vpsdeFlowStep(paperVpSde, pixel(x), o)
      return next.dataSync()[0]!
    }, 1)

  it.each(['sde', 'flow'] as const)(
    'should reach the exact solution of %s for Gaussian images, at half the error with half the step (P41)',
    kind => {
      fc.assert(
        fc.property(fc.double({ min: 0.3, max: 0.8, noNaN: true }), s => {
          const { mean, std } = vpsdeMarginal(paperVpSde, 0.5)
          const variance = mean ** 2 * s ** 2 + std ** 2
          // The mean of the reverse SDE is the posterior mean; the flow keeps the quantile.
          const exact = kind === 'sde' ? (mean * s ** 2) / variance : s / Math.sqrt(variance)
          const [coarse, fine] = [integrate(kind, s, 400) - exact, integrate(kind, s, 800) - exact]
          expect(Math.abs(coarse)).toBeLessThan(0.05)
          expect(coarse / fine).toBeGreaterThan(1.8)
          expect(coarse / fine).toBeLessThan(2.2)
        }),
        { numRuns: runs(8) },
      )
    },
  )

  it('should differ from its mean by sqrt(beta dt) z exactly, and the mean draw nothing (P43)', () => {
    fc.assert(
      fc.property(fc.nat(1e6), times, fc.double({ min: 1e-4, max: 0.1, noNaN: true }), (seed, t, dt) => {
        const [xT, epsilon, z] = ['x', 'eps', 'z'].map(name => gaussian(seed, name, [2, 1, 2, 2])) as [Tensor, Tensor, Tensor]
        const { xMean } = vpsdeReverseStep(paperVpSde, xT, { t, dt, epsilon, z: mustNotDraw })
        const { x } = vpsdeReverseStep(paperVpSde, xT, { t, dt, epsilon, z: () => z })
        const noise = z.mul(Math.sqrt(vpsdeBeta(paperVpSde, t) * dt))
        expect(x().dataSync()).toEqual(xMean.add(noise).dataSync())
      }),
      { numRuns: runs(50) },
    )
  })

  it('should take half of the score of the SDE in the flow, and nothing else differently', () => {
    fc.assert(
      fc.property(times, fc.double({ min: 1e-4, max: 0.1, noNaN: true }), (t, dt) => {
        const flow = coefficients((xT, epsilon) => vpsdeFlowStep(paperVpSde, xT, { t, dt, epsilon }))
        const sde = reverse(t, dt)
        expectNear(flow[0]!, sde[0], 1e-12)
        expectNear(2 * flow[1]!, sde[1], 1e-12 * Math.abs(sde[1]))
        expect(flow[2]).toBe(0)
      }),
      { numRuns: runs(50) },
    )
  })

  it('should sample the marginal', () => {
    const [x0, epsilon] = [gaussian(1, 'x0', [1, 1, 2, 2]), gaussian(1, 'eps', [1, 1, 2, 2])]
    const { mean, std } = vpsdeMarginal(paperVpSde, 0.3)
    expectAllNear(vpsdeSample(paperVpSde, x0, { t: 0.3, epsilon }).dataSync(), x0.mul(mean).add(epsilon.mul(std)).dataSync(), 1e-15)
  })

  it('should refuse times outside [0, 1] and steps without length or score', () => {
    const x = gaussian(0, 'x', [1, 1, 1, 1])
    expect(() => vpsdeBeta(paperVpSde, 1.01)).toThrow('time must be in [0, 1], got 1.01')
    expect(() => vpsdeMarginal(paperVpSde, -0.1)).toThrow('time must be in [0, 1], got -0.1')
    expect(() => vpsdeMarginal(paperVpSde, Number.NaN)).toThrow('got NaN')
    expect(() => vpsdeFlowStep(paperVpSde, x, { t: 0, dt: 0.1, epsilon: x })).toThrow('needs t > 0')
    expect(() => vpsdeReverseStep(paperVpSde, x, { t: 0.1, dt: -0.1, epsilon: x, z: () => x })).toThrow('got 0.1 and -0.1')
  })
})

describe('Langevin corrector', () => {
  const step = (seed: number, t: number, { scale = 1, ...o }: { readonly scale?: number; readonly scales?: number } = {}) => {
    const shape = [2, 1, 3, 3]
    const [x, epsilon, z] = ['x', 'eps', 'z'].map(name => gaussian(seed, name, shape)) as [Tensor, Tensor, Tensor]
    const given = { x, epsilon: epsilon.mul(scale), z }
    return {
      ...given,
      moved: langevinStep(paperVpSde, x, { t, epsilon: given.epsilon, z, ...o })
        .sub(x)
        .dataSync(),
    }
  }

  it('should move along the score and add noise in the ratio the signal-to-noise ratio asks for, image by image', () => {
    fc.assert(
      fc.property(fc.nat(1e6), times, fc.constantFrom(undefined, 50), (seed, t, scales) => {
        const { epsilon, z, moved } = step(seed, t, scales ? { scales } : {})
        const n = scales ?? 1000
        const alpha = 1 - (0.1 + (19.9 * Math.floor(t * (n - 1))) / (n - 1)) / n
        for (const image of [0, 9]) {
          const [e, noise] = [epsilon.dataSync().slice(image, image + 9), z.dataSync().slice(image, image + 9)]
          const score = e.map(value => -value / vpsdeMarginal(paperVpSde, t).std)
          const delta = 2 * alpha * ((0.16 * Math.sqrt(dot(noise, noise))) / Math.sqrt(dot(score, score))) ** 2
          const expected = Array.from(score, (value, i) => delta * value + Math.sqrt(2 * delta) * noise[i]!)
          expectAllNear(moved.slice(image, image + 9), expected, 1e-12)
        }
      }),
      { numRuns: runs(50) },
    )
  })

  it('should not depend on the size of the score: a smaller one is followed further', () => {
    const distance = (scale: number): number => Math.sqrt(dot(step(3, 0.1, { scale }).moved, step(3, 0.1, { scale }).moved))
    // The way along the score is delta ||score|| ~ 1 / ||score||, and so is the noise.
    expectNear(distance(2) / distance(1), 0.5, 1e-12)
  })

  it('should refuse time 0 and no ratio', () => {
    const x = gaussian(0, 'x', [1, 1, 1, 1])
    expect(() => langevinStep(paperVpSde, x, { t: 0, epsilon: x, z: x })).toThrow('needs t > 0')
    expect(() => langevinStep(paperVpSde, x, { t: 0.1, epsilon: x, z: x, snr: 0 })).toThrow('snr > 0, got 0.1 and 0')
  })
})

describe('times of a VPSDE purifier', () => {
  it('should lead from t* to 0 in exactly the asked steps', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.01, max: 1, noNaN: true }), fc.integer({ min: 1, max: 200 }), (tStar, steps) => {
        const intervals = paperVpsdeTimes({ tStar, steps })
        expect(intervals).toHaveLength(steps)
        expect(intervals[0]!.t).toBe(tStar)
        intervals.forEach(({ t, dt }, k) => {
          expectNear(t - dt, intervals[k + 1]?.t ?? 0, 1e-12)
        })
      }),
      { numRuns: runs(50) },
    )
  })

  it('should as published start at 0.101 and take 101 steps of 1/1000 for t* = 0.1', () => {
    const intervals = faithfulVpsdeTimes({ tStar: 0.1, inferenceSteps: 1000 })
    expect(intervals).toHaveLength(101)
    expectNear(intervals[0]!.t, 0.101, 1e-12)
    expectNear(intervals[100]!.t, 0.001, 1e-12)
    expect(new Set(intervals.map(({ dt }) => dt))).toEqual(new Set([1 / 1000]))
    expect(faithfulVpsdeTimes({ tStar: 0.1, inferenceSteps: 5 }).map(({ t }) => Math.round(t * 1e6) / 1e6)).toEqual([0.25075, 0.001])
    expect(faithfulVpsdeTimes({ tStar: 1, inferenceSteps: 4 }).map(({ t }) => Math.round(t * 1e6) / 1e6)).toEqual([1, 0.667, 0.334, 0.001])
    expect(faithfulVpsdeTimes({ tStar: 0.1, inferenceSteps: 1 })).toEqual([{ t: 1, dt: 1 }])
  })

  it('should refuse a t* outside (0, 1] and steps that are no count', () => {
    for (const tStar of [0, 1.1]) expect(() => paperVpsdeTimes({ tStar, steps: 3 })).toThrow(`got tStar ${tStar} and 3 steps`)
    expect(() => faithfulVpsdeTimes({ tStar: 0.1, inferenceSteps: 1.5 })).toThrow('faithfulVpsdeTimes: needs 0 < tStar <= 1 and a whole')
  })
})
