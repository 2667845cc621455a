import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { ddpmPosterior, ddpmStep } from '../../../algorithms/diffusion/ddpm.ts'
import { alphaCumprod, predictXStartFromEpsilon } from '../../../algorithms/diffusion/schedule.ts'
import { type Tensor, tensor, useBackend } from '../../../core/index.ts'
import { backendsUnderTest } from '../../support/backends.ts'
import { expectNear } from '../../support/numbers.ts'
import { runs } from '../../support/replay.ts'
import { bits, gaussian, schedule } from '../fixtures.ts'
import { coefficients, innerStrides, mustNotDraw } from './steps.ts'

const variances = fc.constantFrom('fixedLarge' as const, 'fixedSmall' as const)

describe('DDPM reverse step (E3)', () => {
  beforeAll(() => useBackend('reference'))

  it("should have Bayes' mean and variance of x_s given x_t and x_0 (P34)", () => {
    fc.assert(
      fc.property(innerStrides, ({ t, s }) => {
        const [abarT, abarS] = [alphaCumprod(schedule, t), alphaCumprod(schedule, s)]
        // Prior x_s | x_0 ~ N(sqrt(abar_s) x_0, 1 - abar_s); likelihood x_t | x_s ~ N(sqrt(ratio) x_s, 1 - ratio).
        const ratio = abarT / abarS
        const precision = 1 / (1 - abarS) + ratio / (1 - ratio)
        const posterior = ddpmPosterior(schedule, { t, s, variance: 'fixedSmall' })
        expectNear(posterior.variance, 1 / precision, 1e-10)
        expectNear(posterior.ofXStart, Math.sqrt(abarS) / (1 - abarS) / precision, 1e-10)
        expectNear(posterior.ofXT, Math.sqrt(ratio) / (1 - ratio) / precision, 1e-10)
      }),
      { numRuns: runs(100) },
    )
  })

  it('should put the posterior of the estimate P into the step: mean of P and x_t, and sqrt(variance) z (P34)', () => {
    fc.assert(
      fc.property(innerStrides, variances, ({ t, s }, variance) => {
        const posterior = ddpmPosterior(schedule, { t, s, variance })
        const step = (xT: Tensor, epsilon: Tensor, z: () => Tensor) => ddpmStep(schedule, xT, { t, s, clip: false, variance, epsilon, z })
        const [ofXT, ofEpsilon, ofZ] = coefficients(step)
        const abarT = alphaCumprod(schedule, t)
        expectNear(ofXT!, posterior.ofXT + posterior.ofXStart / Math.sqrt(abarT), 1e-12)
        expectNear(ofEpsilon!, (-posterior.ofXStart * Math.sqrt(1 - abarT)) / Math.sqrt(abarT), 1e-12)
        expectNear(ofZ! ** 2, posterior.variance, 1e-12)
      }),
      { numRuns: runs(100) },
    )
  })

  it('should order the variances fixedLarge >= fixedSmall >= 0, fixedLarge being beta_t for a stride of one (P37)', () => {
    fc.assert(
      fc.property(innerStrides, ({ t, s }) => {
        const large = ddpmPosterior(schedule, { t, s, variance: 'fixedLarge' }).variance
        const small = ddpmPosterior(schedule, { t, s, variance: 'fixedSmall' }).variance
        expect(large).toBeGreaterThanOrEqual(small)
        expect(small).toBeGreaterThanOrEqual(0)
        expectNear(ddpmPosterior(schedule, { t, s: t - 1, variance: 'fixedLarge' }).variance, schedule.betas[t]!, 1e-12)
      }),
      { numRuns: runs(100) },
    )
  })

  for (const backend of backendsUnderTest) {
    it(`should return P, clipped or not, and draw no noise at the last step on ${backend} (P38)`, async () => {
      await useBackend(backend)
      await fc.assert(
        fc.asyncProperty(fc.nat(1e6), fc.nat(999), variances, fc.integer({ min: -20, max: -1 }), async (seed, t, variance, s) => {
          const [xT, epsilon] = [gaussian(seed, 'xT', [2, 1, 2, 2]), gaussian(seed, 'eps', [2, 1, 2, 2])]
          const p = predictXStartFromEpsilon(schedule, xT, { t, epsilon })
          const last = (clip: boolean) => ddpmStep(schedule, xT, { t, s, clip, variance, epsilon, z: mustNotDraw })
          expect(await bits(last(false))).toBe(await bits(p))
          expect(await bits(last(true))).toBe(await bits(p.clamp(-1, 1)))
        }),
        { numRuns: runs(20) },
      )
    })
  }

  it('should clip by default and add the variance fixedLarge, as the published scripts do', async () => {
    await useBackend('reference')
    const far = tensor([30], [1, 1, 1, 1])
    const none = tensor([0], [1, 1, 1, 1])
    const { ofXStart, ofXT, variance } = ddpmPosterior(schedule, { t: 99, s: 50, variance: 'fixedLarge' })
    const one = tensor([1], [1, 1, 1, 1])
    const expected = ofXStart + 30 * ofXT + Math.sqrt(variance)
    expectNear(await ddpmStep(schedule, far, { t: 99, s: 50, epsilon: none, z: () => one }).item(), expected, 1e-12)
  })

  it('should refuse a step that does not go back', () => {
    const x = gaussian(0, 'x', [1, 1, 1, 1])
    expect(() => ddpmStep(schedule, x, { t: 5, s: 5, epsilon: x, z: () => x })).toThrow('goes from t to an earlier s, got t = 5 and s = 5')
    expect(() => ddpmStep(schedule, x, { t: -1, s: -1, epsilon: x, z: () => x })).toThrow('got t = -1 and s = -1')
    expect(() => ddpmStep(schedule, x, { t: 1000, s: 5, epsilon: x, z: () => x })).toThrow('timestep 1000')
  })
})
