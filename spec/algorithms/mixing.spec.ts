import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { gamma, lambda } from '../../algorithms/diffusion/modulation.ts'
import { alphaCumprod, linearSchedule, perImage } from '../../algorithms/diffusion/schedule.ts'
import type { EpsilonModel } from '../../algorithms/models/types.ts'
import { denoisingLoss } from '../../algorithms/training/denoisingLoss.ts'
import { mixNoise } from '../../algorithms/training/mixNoise.ts'
import { ddpmProcess, lambdas } from '../../algorithms/training/noiseProcess.ts'
import { rbgm } from '../../algorithms/training/rbgm.ts'
import { dispose, ops, stopGradient, type Tensor, tensor, tidy, useBackend, valueAndGrad } from '../../core/index.ts'
import { normal, uniform } from '../../core/random/distributions.ts'
import { foldIn, key } from '../../core/random/key.ts'
import { kolmogorovSmirnov, mean, normalCdf } from '../core/random/statistics.ts'
import { backendsUnderTest, isFloat32 } from '../support/backends.ts'
import { ksBound, standardErrors } from '../support/falseFailures.ts'
import { expectAllNear, expectNear } from '../support/numbers.ts'
import { runs } from '../support/replay.ts'

const schedule = linearSchedule()
const process = ddpmProcess(schedule)
const abarOf = (t: number): number => alphaCumprod(schedule, t)

/** Timesteps of three images and a seed for the values. */
const cases = fc.record({ t: fc.tuple(fc.nat(999), fc.nat(999), fc.nat(999)), seed: fc.nat(2 ** 30) })
const shape = [3, 2, 2, 2]
const perPlane = 8
const draw = (seed: number, name: string): Float64Array => normal(foldIn(key(seed), name), 3 * perPlane)
const imageOf = (i: number): number => Math.floor(i / perPlane)

describe.each(backendsUnderTest)('mixing and loss on %s', backend => {
  beforeAll(() => useBackend(backend))
  const float32 = isFloat32(backend)
  const computed = async (make: () => Tensor): Promise<number[]> => {
    const made = tidy(make)
    const values = Array.from(await made.data())
    made.dispose()
    return values
  }

  it('should mix by weights whose squares add up to 1, lambda of them adversarial (P24)', () =>
    fc.assert(
      fc.asyncProperty(cases, async ({ t, seed }) => {
        const [epsilon, epsilonDelta] = [draw(seed, 'epsilon'), draw(seed, 'delta')]
        const mix = (a: ArrayLike<number>, b: ArrayLike<number>) =>
          computed(() => mixNoise(tensor(a, shape), { epsilonDelta: tensor(b, shape), lambdas: lambdas(process, t) }))
        const [one, zero] = [new Float64Array(24).fill(1), new Float64Array(24)]
        const [rest, adversarial] = [await mix(one, zero), await mix(zero, one)]
        const mixed = await mix(epsilon, epsilonDelta)
        rest.forEach((r, i) => {
          expectNear(adversarial[i]!, lambda(schedule, t[imageOf(i)]!), float32 ? 1e-7 : 0)
          expectNear(r ** 2 + adversarial[i]! ** 2, 1, float32 ? 3e-7 : 1e-15)
          expectNear(mixed[i]!, r * epsilon[i]! + adversarial[i]! * epsilonDelta[i]!, float32 ? 2e-6 : 1e-14)
        })
      }),
      { numRuns: runs(10) },
    ))

  // 25,000 images of four pixels at lambda = 0.3: 1e5 values, ten covariances of standard error 1/sqrt(n), for variances sqrt(2/n).
  it('should be N(0, I) when the order is independent of the noise (P24)', async () => {
    const count = 25_000
    const planes = [count, 1, 2, 2]
    const noise = (name: string) => tensor(normal(foldIn(key(24), name), 4 * count), planes)
    const [order, z, epsilon] = [noise('order'), noise('z'), noise('epsilon')]
    const epsilonDelta = await rbgm(order, z, { tieBreak: uniform(foldIn(key(24), 'ties'), 4 * count) })
    const n = Float64Array.from(await computed(() => mixNoise(epsilon, { epsilonDelta, lambdas: new Array<number>(count).fill(0.3) })))
    dispose([order, z, epsilon, epsilonDelta])
    expect(kolmogorovSmirnov(n, normalCdf)).toBeLessThan(ksBound('law of the mix (P24)', n.length))
    const errors = standardErrors('covariance of the mix (P24)', 10)
    for (let a = 0; a < 4; a++) {
      for (let b = 0; b <= a; b++) {
        const products = Float64Array.from({ length: count }, (_, image) => n[4 * image + a]! * n[4 * image + b]!)
        expectNear(mean(products), a === b ? 1 : 0, errors * Math.sqrt((a === b ? 2 : 1) / count))
      }
    }
  })

  it('should equal gamma_t^2 || x_0 - P ||^2 for any net (P25)', () =>
    fc.assert(
      fc.asyncProperty(cases, async ({ t, seed }) => {
        const [x0, n] = [draw(seed, 'x0').map(Math.tanh), draw(seed, 'n')]
        const seen: { xT?: Tensor; epsilon?: Tensor } = {}
        const net: EpsilonModel = (xT, steps) => {
          const epsilon = ops.sin(xT.mul(1.3).add(perImage(steps.map(step => step / 500))))
          Object.assign(seen, { xT: stopGradient(xT), epsilon: stopGradient(epsilon) })
          return epsilon
        }
        const [loss, xT, epsilon] = tidy(() => {
          const value = denoisingLoss(process, tensor(x0, shape), { n: tensor(n, shape), t, network: net })
          return [value, seen.xT!, seen.epsilon!] as const
        })
        const [noisy, predicted] = [await xT.data(), await epsilon.data()]
        const squares = x0.map((x, i) => {
          const step = t[imageOf(i)]!
          const p = (noisy[i]! - Math.sqrt(1 - abarOf(step)) * predicted[i]!) / Math.sqrt(abarOf(step))
          return gamma(schedule, step) ** 2 * (x - p) ** 2
        })
        // In float32 the rounding of x_t, relative to its noise of size sqrt(1 - abar_t) >= 0.01, enters the difference.
        expectNear(await loss.item(), mean(squares), (float32 ? 1e-4 : 1e-9) * mean(squares))
        dispose([loss, xT, epsilon])
      }),
      { numRuns: runs(10) },
    ))

  it('should be 0 for the net that knows the noise (P26)', () =>
    fc.assert(
      fc.asyncProperty(cases, async ({ t, seed }) => {
        const [x0, n] = [draw(seed, 'x0').map(Math.tanh), draw(seed, 'n')]
        const [loss] = await computed(() => {
          const image = tensor(x0, shape)
          const roots = (of: (abar: number) => number) => perImage(t.map(step => Math.sqrt(of(abarOf(step)))))
          const net: EpsilonModel = xT => xT.sub(image.mul(roots(abar => abar))).div(roots(abar => 1 - abar))
          return denoisingLoss(process, image, { n: tensor(n, shape), t, network: net })
        })
        expectNear(loss!, 0, float32 ? 1e-8 : 1e-18)
      }),
      { numRuns: runs(10) },
    ))

  // The four pairs (+-s, +-1) have the second moments of independent N(0, s^2) and N(0, 1), all that least squares sees.
  it('should be least, for Gaussian images, at the closed-form net, whose score is -eps / sqrt(1 - abar) (P27)', () =>
    fc.assert(
      fc.asyncProperty(fc.nat(999), fc.integer({ min: 2, max: 40 }), async (t, tenths) => {
        const s = tenths / 10
        const pairs = [4, 1, 1, 1]
        const slopeAt = async (a: number): Promise<number> => {
          const [slope] = await computed(() => {
            const [x0, n, factor] = [tensor([s, s, -s, -s], pairs), tensor([1, -1, 1, -1], pairs), tensor([a])]
            const loss = (net: Tensor) => denoisingLoss(process, x0, { n, t: [t, t, t, t], network: xT => xT.mul(net) })
            return valueAndGrad(loss)(factor).gradient
          })
          return slope!
        }
        const [atZero, atOne] = [await slopeAt(0), await slopeAt(1)]
        const best = atZero / (atZero - atOne)
        const [abar, variance] = [abarOf(t), abarOf(t) * s ** 2 + 1 - abarOf(t)]
        const tolerance = float32 ? 1e-5 : 1e-10
        expectNear(best, Math.sqrt(1 - abar) / variance, tolerance)

        const logDensity = (x: number) => -(x ** 2) / (2 * variance)
        for (const x of [-1.7, 0.4, 2]) {
          const score = (logDensity(x + 1e-3) - logDensity(x - 1e-3)) / 2e-3
          expectNear((-best * x) / Math.sqrt(1 - abar), score, (tolerance * Math.abs(x)) / Math.sqrt(1 - abar) + 1e-8 * Math.abs(score))
        }
      }),
      { numRuns: runs(10) },
    ))

  it('should leave the noise bitwise alone where lambda is 0 (P28)', () =>
    fc.assert(
      fc.asyncProperty(cases, async ({ t, seed }) => {
        const modulation = { lambdaUnit: 0, lambdaMin: 0, lambdaMax: 0.3 }
        const epsilon = draw(seed, 'epsilon').map(Math.fround)
        const epsilonDelta = draw(seed, 'delta')
        const mixed = await computed(() =>
          mixNoise(tensor(epsilon, shape), { epsilonDelta: tensor(epsilonDelta, shape), lambdas: lambdas(process, t, modulation) }),
        )
        expectAllNear(mixed, epsilon, 0)
      }),
      { numRuns: runs(10) },
    ))
})
