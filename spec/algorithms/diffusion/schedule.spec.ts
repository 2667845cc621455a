import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { predictXStartFromEpsilon, qSample } from '../../../algorithms/diffusion/schedule.ts'
import { tensor, tidy, useBackend, zeros } from '../../../core/index.ts'
import { expectNear } from '../../support/numbers.ts'
import { runs } from '../../support/replay.ts'
import { schedule } from '../fixtures.ts'

describe('forward process (E1)', () => {
  beforeAll(() => useBackend('reference'))

  it('should reach q(x_t | x_0) by composing q(x_s | x_0) with the one-step kernels from s to t, mean and variance (P33)', () => {
    const [one, zero] = [tensor([1], [1, 1, 1, 1]), zeros([1, 1, 1, 1])]
    const kernel = (t: number): { mean: number; variance: number } =>
      tidy(() => ({
        mean: qSample(schedule, one, { t, epsilon: zero }).dataSync()[0]!,
        variance: qSample(schedule, zero, { t, epsilon: one }).dataSync()[0]! ** 2,
      }))
    fc.assert(
      fc.property(fc.nat(999), fc.nat(999), (a, b) => {
        const [s, t] = [Math.min(a, b), Math.max(a, b)]
        let { mean, variance } = kernel(s)
        for (let i = s + 1; i <= t; i++) {
          // q(x_i | x_{i-1}) = N(sqrt(1 - beta_i) x_{i-1}, beta_i)
          mean *= Math.sqrt(1 - schedule.betas[i]!)
          variance = (1 - schedule.betas[i]!) * variance + schedule.betas[i]!
        }
        expectNear(kernel(t).mean, mean, 1e-12)
        expectNear(kernel(t).variance, variance, 1e-12)
      }),
      { numRuns: runs(100) },
    )
  })

  it('should refuse another number of timesteps than images, which broadcasting would accept', () => {
    const x = zeros([2, 1, 1, 1])
    expect(() => qSample(schedule, x, { t: [3], epsilon: x })).toThrow('qSample: 2 images need as many timesteps, got 1')
    expect(() => predictXStartFromEpsilon(schedule, x, { t: [3, 4, 5], epsilon: x })).toThrow('2 images need as many timesteps, got 3')
  })
})
