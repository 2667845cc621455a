import { erf } from 'mathjs'
import { beforeAll, describe, expect, it } from 'vitest'
import { alphaCumprod } from '../../../algorithms/diffusion/schedule.ts'
import type { EpsilonModel } from '../../../algorithms/models/types.ts'
import { sample } from '../../../algorithms/purification/sample.ts'
import { paperTimesteps } from '../../../algorithms/purification/timesteps.ts'
import { createDraws } from '../../../algorithms/randomness/draws.ts'
import { tensor, useBackend } from '../../../core/index.ts'
import { expectAllNear, expectNear } from '../../support/numbers.ts'
import { purifierOf, schedule } from '../fixtures.ts'

beforeAll(async () => {
  await useBackend('reference')
})

const mean = 0.2
/**
 * The optimal noise prediction for pixels that are N(mean, 1) each, in the diffusion range. Noise then has the same variance at every
 * timestep, and a DDPM step with fixedLarge is exactly the reverse of the forward process, however long.
 */
const optimal: EpsilonModel = (xT, t) => {
  const abar = alphaCumprod(schedule, t[0]!)
  return xT.sub(Math.sqrt(abar) * mean).mul(Math.sqrt(1 - abar))
}
const images = Array.from({ length: 100 }, (_, i) => i)
const draws = createDraws({ seed: 1, images })
const purifierWith = (reverse: 'ddpm' | 'ddim', steps = 50) =>
  purifierOf(optimal, {
    intervals: paperTimesteps({ tStar: 1, steps }),
    clip: false,
    reverse: reverse === 'ddim' ? { kind: 'ddim', eta: 0 } : { kind: 'ddpm', variance: 'fixedLarge' },
  })

describe('sample', () => {
  it.each(['ddpm', 'ddim'] as const)('should draw from the distribution whose score the model has: %s', reverse => {
    const values = [...sample(purifierWith(reverse), [1, 4, 5], draws).dataSync()].map(x => 2 * x - 1)
    // Shares below a threshold, which the clamp to pixels does not change. n = 2000: 5.5 standard errors, missed with probability 4e-8.
    for (const threshold of [-0.8, -0.3, 0.2, 0.7]) {
      const expected = (1 + erf((threshold - mean) / Math.SQRT2)) / 2
      const share = values.filter(x => x < threshold).length / values.length
      expectNear(share, expected, 5.5 * Math.sqrt((expected * (1 - expected)) / values.length))
    }
  })

  it('should begin at x_T = sqrt(1 - abar_T) eps', () => {
    const seen: number[] = []
    const spy: EpsilonModel = xT => {
      seen.push(...xT.dataSync())
      return xT
    }
    const few = draws.forImages([3, 4])
    sample({ ...purifierWith('ddim', 1), epsilonTheta: spy }, [1, 2, 2], few)
    const scale = Math.sqrt(1 - alphaCumprod(schedule, 999))
    expectAllNear(
      seen,
      few.normalValues('forward', [1, 2, 2]).map(value => scale * value),
      1e-12,
    )
  })

  it('should give an image the same pixels in any batch, and others from another seed', () => {
    const purifier = purifierWith('ddpm', 4)
    const alone = [...sample(purifier, [1, 2, 2], draws.forImages([7])).dataSync()]
    expect([...sample(purifier, [1, 2, 2], draws).slice([7, 0, 0, 0], [1, 1, 2, 2]).dataSync()]).toEqual(alone)
    expect([...sample(purifier, [1, 2, 2], createDraws({ seed: 2, images: [7] })).dataSync()]).not.toEqual(alone)
  })

  it('should refuse to begin anywhere but at pure noise', () => {
    const zero: EpsilonModel = xT => xT.mul(tensor([0], [1]))
    expect(() => sample(purifierOf(zero), [1, 2, 2], draws)).toThrow('begins at t = 99, not at pure noise, t = 999')
  })
})
