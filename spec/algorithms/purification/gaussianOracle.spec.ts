import { describe, expect, it } from 'vitest'
import { type Denoiser, karrasSigmas } from '../../../algorithms/diffusion/edm.ts'
import { linearSchedule } from '../../../algorithms/diffusion/schedule.ts'
import { paperVpSde, vpsdeMarginal } from '../../../algorithms/diffusion/vpsde.ts'
import type { EpsilonModel } from '../../../algorithms/models/types.ts'
import { type AnyPurifier, purifyAny } from '../../../algorithms/purification/anyPurifier.ts'
import { paperVpsdeTimes } from '../../../algorithms/purification/vpsdeTimes.ts'
import { createDraws, type Draws } from '../../../algorithms/randomness/draws.ts'
import { full, grad, type Tensor, tensor, tidy, useBackend } from '../../../core/index.ts'
import { expectNear } from '../../support/numbers.ts'
import { processes } from './processes.ts'

/**
 * Images whose pixels are independent N(0, s^2) in the diffusion range: the best noise predictor is linear, purification is
 * linear in image and noises, and its limit for many steps is known in closed form. With abar the signal left at the start,
 * v = abar s^2 + 1 - abar the variance there:
 *
 *   deterministic  x_0 = s / sqrt(v) x_t,      so d x_0 / d x = sqrt(abar) s / sqrt(v)
 *   stochastic     x_0 ~ N(sqrt(abar) s^2 / v x_t, s^2 (1 - abar) / v),   so d x_0 / d x = abar s^2 / v
 */
const s = 0.4
const schedule = linearSchedule()

/** E[eps | x_t] = sqrt(1 - abar) x_t / v. */
const factorAt = (abar: number): number => Math.sqrt(1 - abar) / (abar * s ** 2 + 1 - abar)

const optimal =
  (abarAt: (label: number) => number): EpsilonModel =>
  (xT, t) =>
    xT.mul(
      tensor(
        t.map(label => factorAt(abarAt(label))),
        [t.length, 1, 1, 1],
      ),
    )

const discrete = optimal(t => schedule.alphasCumprod[t]!)
const continuous = optimal(t => vpsdeMarginal(paperVpSde, t).mean ** 2)
/** E[x_0 | x_0 + sigma n] = s^2 x / (s^2 + sigma^2). */
const denoiser: Denoiser = (x, sigma) =>
  x.mul(
    tensor(
      sigma.map(level => s ** 2 / (s ** 2 + level ** 2)),
      [sigma.length, 1, 1, 1],
    ),
  )

const purifiers = {
  DDPM: (steps: number) => processes.DDPM!(discrete, { steps }),
  DDIM: (steps: number) => processes.DDIM!(discrete, { steps }),
  VPSDE: (steps: number): AnyPurifier => ({
    epsilonTheta: continuous,
    labelScale: 1,
    intervals: paperVpsdeTimes({ tStar: 0.1, steps }),
    reverse: { kind: 'sde' },
  }),
  'VPSDE flow': (steps: number): AnyPurifier => ({
    epsilonTheta: continuous,
    labelScale: 1,
    intervals: paperVpsdeTimes({ tStar: 0.1, steps }),
    reverse: { kind: 'flow' },
  }),
  EDM: (steps: number): AnyPurifier => ({ denoiser, sigmas: karrasSigmas({ steps, sigmaMax: 0.3, sigmaMin: 1e-4 }) }),
}

const limits = (abar: number) => {
  const v = abar * s ** 2 + 1 - abar
  return {
    deterministic: (Math.sqrt(abar) * s) / Math.sqrt(v),
    stochastic: (abar * s ** 2) / v,
    variance: (s ** 2 * (1 - abar)) / v,
  }
}

/** Draws that are 0 but for one: a unit impulse of the named noise. */
const impulse = (name: string): Draws => {
  const draws = createDraws({ seed: 0, images: [0] })
  return {
    ...draws,
    normal: (source, shape, place) => full([1, ...shape], `${source}/${place?.diffusionStep ?? 0}` === name ? 1 : 0),
  }
}

/** What a purifier makes of x and of its noises: factors of the image, of the forward noise, and the variance from reverse noises. */
const responses = (name: keyof typeof purifiers, steps: number) => {
  const purifier = purifiers[name](steps)
  // Grey, which is 0 in the diffusion range, and what moves away from it by little enough that nothing is clamped.
  const grey = full([1, 1, 1, 1], 0.5)
  const noised = (name: string): number => tidy(() => purifyAny(purifier, grey, impulse(name)).sub(0.5).mul(2)).dataSync()[0]!
  const gradient = tidy(() => grad((x: Tensor) => purifyAny(purifier, x, impulse('none')).sum())(grey)).dataSync()[0]!
  const variance = Array.from({ length: steps }, (_, k) => noised(`reverse/${k}`) ** 2).reduce((a, b) => a + b, 0)
  return { gradient, forward: noised('forward/0'), variance, zero: noised('none') }
}

const discreteAbar = schedule.alphasCumprod[99]!
const continuousAbar = vpsdeMarginal(paperVpSde, 0.1).mean ** 2
const edmAbar = 1 / (1 + 0.3 ** 2)

const cases = [
  ['DDIM', 'deterministic', discreteAbar, 1, 25],
  ['VPSDE', 'stochastic', continuousAbar, 1, 16],
  ['VPSDE flow', 'deterministic', continuousAbar, 1, 16],
  ['EDM', 'deterministic', edmAbar, 2, 8],
] as const

describe.each(cases)('purification of Gaussian data by %s (%s)', (name, kind, abar, order, steps) => {
  it('should tend to the closed form, gradient and noises, at the order of its solver (P54)', async () => {
    await useBackend('reference')
    const limit = limits(abar)
    const at = [responses(name, steps), responses(name, 2 * steps)]
    const errors = at.map(({ gradient }) => Math.abs(gradient - limit[kind]))
    expect(errors[1]).toBeLessThan(0.02 * limit[kind])
    expectNear(Math.log2(errors[0]! / errors[1]!), order, 0.25)
    for (const { gradient, forward, variance, zero } of at) {
      expect(zero).toBe(0)
      expectNear(forward, gradient * noisePerSignal(abar), 1e-9)
      if (kind === 'deterministic') expect(variance).toBe(0)
    }
    if (kind === 'stochastic') {
      const off = at.map(({ variance }) => Math.abs(variance - limit.variance))
      expect(off[1]).toBeLessThan(0.1 * limit.variance)
      expect(off[1]).toBeLessThan(0.6 * off[0]!)
    }
  })
})

/** The forward process adds this much n to an image, and everything after is linear. */
const noisePerSignal = (abar: number): number => Math.sqrt((1 - abar) / abar)

it('should by DDPM be the closed form for any number of steps, since each step is a conditional mean of the next', async () => {
  await useBackend('reference')
  for (const steps of [1, 2, 7, 100]) {
    const { gradient, forward } = responses('DDPM', steps)
    expectNear(gradient, limits(discreteAbar).stochastic, 1e-12)
    expectNear(forward, gradient * noisePerSignal(discreteAbar), 1e-12)
  }
})

describe('one step', () => {
  it.each([
    ['DDPM', discreteAbar],
    ['DDIM', discreteAbar],
    ['EDM', edmAbar],
  ] as const)('should be the posterior mean of Gaussian data, by %s', async (name, abar) => {
    await useBackend('reference')
    const { gradient, variance } = responses(name, 1)
    expectNear(gradient, limits(abar).stochastic, 1e-12)
    expect(variance).toBe(0)
  })
})
