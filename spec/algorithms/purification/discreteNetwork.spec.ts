import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { matchedTimestep } from '../../../algorithms/diffusion/matchedTimestep.ts'
import { predictXStartFromEpsilon } from '../../../algorithms/diffusion/schedule.ts'
import { paperVpSde, vpsdeMarginal } from '../../../algorithms/diffusion/vpsde.ts'
import type { EpsilonModel } from '../../../algorithms/models/types.ts'
import { edmDenoiser, vpsdeEpsilon } from '../../../algorithms/purification/discreteNetwork.ts'
import { useBackend } from '../../../core/index.ts'
import { key } from '../../../core/random/key.ts'
import { expectAllNear, expectNear } from '../../support/numbers.ts'
import { runs } from '../../support/replay.ts'
import { gaussian, schedule, smallEpsilon } from '../fixtures.ts'

const shape = [2, 1, 3, 3]

/** abar at a real timestep, by the definition: linear in the logarithm between whole ones. */
const abarAt = (tau: number): number => {
  const low = Math.min(Math.floor(tau), 998)
  const [from, to] = [schedule.alphasCumprod[low]!, schedule.alphasCumprod[low + 1]!]
  return from ** (1 - (tau - low)) * to ** (tau - low)
}

describe('matchedTimestep', () => {
  it('should invert the noise level, at whole timesteps and between them', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 999, noNaN: true }), tau => expectNear(matchedTimestep(schedule, abarAt(tau)), tau, 1e-6)),
      { numRuns: runs(100) },
    )
    for (const t of [0, 1, 149, 998, 999]) expectNear(matchedTimestep(schedule, schedule.alphasCumprod[t]!), t, 1e-9)
  })

  it('should stay within the schedule, and refuse what is no share of signal', () => {
    expect(matchedTimestep(schedule, 1)).toBe(0)
    expect(matchedTimestep(schedule, 1e-9)).toBe(999)
    for (const abar of [0, -1, 1.1, Number.NaN]) expect(() => matchedTimestep(schedule, abar)).toThrow(`got ${abar}; it is mean^2`)
  })

  it('should be 1000 t - 1 for the VP SDE, within half a timestep where images are purified and 3.4 anywhere', () => {
    for (let t = 2e-3; t <= 1; t += 1e-3)
      expectNear(matchedTimestep(schedule, vpsdeMarginal(paperVpSde, t).mean ** 2), 1000 * t - 1, t < 0.3 ? 0.5 : 3.4)
  })
})

describe('a network for discrete timesteps', () => {
  const asked: number[][] = []
  const watched: EpsilonModel = (xT, t) => {
    asked.push([...t])
    return smallEpsilon(1, 1)(xT, t)
  }

  it('should be asked for the VP SDE at the timestep of equal noise', async () => {
    await useBackend('reference')
    asked.length = 0
    vpsdeEpsilon({ epsilonTheta: watched, schedule })(gaussian(1, 'x', shape), [0.05, 0.15])
    const noise = asked[0]!.map(abarAt)
    expectAllNear(
      noise,
      [0.05, 0.15].map(t => vpsdeMarginal(paperVpSde, t).mean ** 2),
      1e-12,
    )
  })

  it('should be asked so for any SDE, and with the masks it is given', async () => {
    await useBackend('reference')
    const [sde, dropoutKey] = [{ betaMin: 0.2, betaMax: 10 }, [key(1), key(2)]]
    const asks: [readonly number[], unknown][] = []
    const watching: EpsilonModel = (xT, t, o) => {
      asks.push([t, o])
      return xT
    }
    vpsdeEpsilon({ epsilonTheta: watching, schedule }, sde)(gaussian(1, 'x', shape), [0.05, 0.15], { dropoutKey })
    const times = [0.05, 0.15].map(t => matchedTimestep(schedule, vpsdeMarginal(sde, t).mean ** 2))
    expect(asks).toEqual([[times, { dropoutKey }]])
  })

  it('should as a denoiser of EDM be the one-step estimate P of the scaled image, each image at its own noise level', async () => {
    await useBackend('reference')
    asked.length = 0
    const t = [99, 400]
    const sigma = t.map(i => Math.sqrt(1 / schedule.alphasCumprod[i]! - 1))
    const x = gaussian(2, 'x', shape)
    const denoised = edmDenoiser({ epsilonTheta: watched, schedule })(x, sigma)
    expectAllNear(asked[0]!, t, 1e-9)
    const one = (i: number) => {
      const scaled = x.slice([i, 0, 0, 0], [1, 1, 3, 3]).mul(Math.sqrt(schedule.alphasCumprod[t[i]!]!))
      return [...predictXStartFromEpsilon(schedule, scaled, { t: t[i]!, epsilon: smallEpsilon(1, 1)(scaled, [t[i]!]) }).dataSync()]
    }
    expectAllNear(denoised.dataSync(), [...one(0), ...one(1)], 1e-9)
  })
})
