import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { predictXStartFromEpsilon } from '../../../algorithms/diffusion/schedule.ts'
import type { EpsilonModel } from '../../../algorithms/models/types.ts'
import { isStochastic } from '../../../algorithms/purification/anyPurifier.ts'
import { type Purifier, purify, type ReverseProcess } from '../../../algorithms/purification/purify.ts'
import { paperTimesteps } from '../../../algorithms/purification/timesteps.ts'
import { createDraws, type Draws } from '../../../algorithms/randomness/draws.ts'
import { grad, liveTensors, type Tensor, tensor, tidy, useBackend, valueAndGrad, vjp } from '../../../core/index.ts'
import { backendsUnderTest, isFloat32 } from '../../support/backends.ts'
import { dot, expectAllNear, expectNear } from '../../support/numbers.ts'
import { runs } from '../../support/replay.ts'
import { bits, gaussian, pixels, purifierOf, recording, schedule, smallEpsilon, smallUnet } from '../fixtures.ts'

const shape = [2, 1, 4, 4]
const ids = [3, 8]

const processes: readonly ReverseProcess[] = [
  { kind: 'ddpm', variance: 'fixedLarge' },
  { kind: 'ddpm', variance: 'fixedSmall' },
  { kind: 'ddim', eta: 0 },
  { kind: 'ddim', eta: 0.7 },
]

/** A purifier of 1 to 4 steps with a small curved noise predictor, or now and then a small UNet. */
const purifiers: fc.Arbitrary<Omit<Purifier, 'epsilonTheta'>> = fc.record({
  schedule: fc.constant(schedule),
  intervals: fc.record({ tStar: fc.constantFrom(0.05, 0.1, 0.3), steps: fc.integer({ min: 1, max: 4 }) }).map(paperTimesteps),
  reverse: fc.constantFrom(...processes),
  clip: fc.boolean(),
})

const networks: readonly [name: string, make: (seed: number) => EpsilonModel, runs: number][] = [
  ['a two-layer network', seed => smallEpsilon(seed, 1), 40],
  ['a UNet', seed => smallUnet(seed, 1), 3],
]

/** Purified image and the gradient of its inner product with u. */
const imageAndGradient = (purifier: Purifier, x: Tensor, { draws, u }: { draws: Draws; u: Tensor }) => {
  const { gradient, aux } = valueAndGrad((input: Tensor) => {
    const image = purify(purifier, input, draws)
    return [image.mul(u).sum(), image] as const
  })(x)
  return { image: aux, gradient }
}

/** Distance of the nearest P of any step to the kinks at -1 and 1. */
const marginToKinks = (purifier: Purifier, x: Tensor, draws: Draws): number =>
  tidy(() => {
    let margin = Number.POSITIVE_INFINITY
    const epsilonTheta: EpsilonModel = (xT, t) => {
      const epsilon = purifier.epsilonTheta(xT, t)
      for (const p of predictXStartFromEpsilon(schedule, xT, { t: t[0]!, epsilon }).dataSync()) {
        margin = Math.min(margin, Math.abs(Math.abs(p) - 1))
      }
      return epsilon
    }
    purify({ ...purifier, epsilonTheta }, x, draws)
    return margin
  })

describe('purify (E1, E3, E4)', () => {
  for (const [name, make, numRuns] of networks) {
    it(`should have the gradient of central differences through the whole purifier, with ${name} (P54)`, async () => {
      await useBackend('reference')
      const h = 1e-5
      fc.assert(
        fc.property(fc.nat(1e6), purifiers, (seed, given) =>
          tidy(() => {
            const purifier = { ...given, epsilonTheta: make(seed) }
            const [x, u, v] = [pixels(seed, shape), gaussian(seed, 'u', shape), gaussian(seed, 'v', shape)]
            const draws = createDraws({ seed, images: ids })
            fc.pre(marginToKinks(purifier, x, draws) > 1e-3)
            const value = (at: number): number =>
              purify(purifier, x.add(v.mul(at)), draws)
                .mul(u)
                .sum()
                .dataSync()[0]!
            const { gradient } = imageAndGradient(purifier, x, { draws, u })
            const g = gradient.dataSync()
            const scale = Math.sqrt(dot(g, g) * dot(v.dataSync(), v.dataSync()))
            expectNear((value(h) - value(-h)) / (2 * h), dot(g, v.dataSync()), 1e-6 * scale + 1e-9)
          }),
        ),
        { numRuns: runs(numRuns) },
      )
    })

    for (const backend of ['reference', 'cpu'] as const) {
      it(`should give the bits of the plain purifier and gradient when steps are recomputed, with ${name} on ${backend} (P55)`, async () => {
        await useBackend(backend)
        await fc.assert(
          fc.asyncProperty(fc.nat(1e6), purifiers, async (seed, given) => {
            const epsilonTheta = make(seed)
            const arguments_ = { draws: createDraws({ seed, images: ids }), u: gaussian(seed, 'u', shape) }
            const of = async (checkpointing: boolean) => {
              const { image, gradient } = imageAndGradient({ ...given, epsilonTheta, checkpointing }, pixels(seed, shape), arguments_)
              return [await bits(image), await bits(gradient)]
            }
            expect(await of(true)).toEqual(await of(false))
          }),
          { numRuns: runs(numRuns / 3) },
        )
      })
    }
  }

  it('should have adjoint derivatives forward and backward, <J v, u> = <v, J^T u>, through the whole purifier (P56)', async () => {
    await useBackend('reference')
    fc.assert(
      fc.property(fc.nat(1e6), purifiers, (seed, given) =>
        tidy(() => {
          const purifier = { ...given, epsilonTheta: smallEpsilon(seed, 1) }
          const [x, u, v] = [pixels(seed, shape), gaussian(seed, 'u', shape), gaussian(seed, 'v', shape)]
          const f = (input: Tensor): Tensor => purify(purifier, input, createDraws({ seed, images: ids }))
          const back = vjp(f, x).pullback(u).dataSync()
          // J v is the derivative to w of <J^T w, v>.
          const forward = grad((w: Tensor) =>
            grad((input: Tensor) => f(input).mul(w).sum())(x)
              .mul(v)
              .sum(),
          )(u).dataSync()
          expectNear(dot(forward, u.dataSync()), dot(back, v.dataSync()), 1e-10)
        }),
      ),
      { numRuns: runs(15) },
    )
  })

  for (const backend of backendsUnderTest) {
    it(`should repeat image and gradient bit for bit under the same names, and change both with the seed, on ${backend} (P46)`, async () => {
      await useBackend(backend)
      await fc.assert(
        fc.asyncProperty(fc.nat(1e6), purifiers, async (seed, given) => {
          const of = async (draws: Draws) => {
            const purifier = { ...given, epsilonTheta: smallEpsilon(5, 1) }
            const { image, gradient } = imageAndGradient(purifier, pixels(seed, shape), { draws, u: gaussian(seed, 'u', shape) })
            return [await bits(image), await bits(gradient)]
          }
          const first = await of(createDraws({ seed, images: ids }))
          expect(await of(createDraws({ seed, images: ids }))).toEqual(first)
          expect((await of(createDraws({ seed: seed + 1, images: ids })))[0]).not.toBe(first[0])
        }),
        { numRuns: runs(8) },
      )
    })

    it(`should purify an image alike in every batch and order, bit for bit, on ${backend} (P48)`, async () => {
      await useBackend(backend)
      await fc.assert(
        fc.asyncProperty(fc.nat(1e6), purifiers, async (seed, given) => {
          const purifier = { ...given, epsilonTheta: smallEpsilon(seed, 1) }
          const [one, other] = [pixels(seed, [1, 1, 4, 4]), pixels(seed + 1, [1, 1, 4, 4])]
          const both = async (a: Tensor, b: Tensor) => tensor([...(await a.data()), ...(await b.data())], shape)
          const draws = createDraws({ seed, images: ids })
          const imagesOf = async (x: Tensor, images: readonly number[]) => [...(await purify(purifier, x, draws.forImages(images)).data())]
          const [first, second] = [await imagesOf(one, [3]), await imagesOf(other, [8])]
          expect(await imagesOf(await both(one, other), [3, 8])).toEqual([...first, ...second])
          expect(await imagesOf(await both(other, one), [8, 3])).toEqual([...second, ...first])
        }),
        { numRuns: runs(8) },
      )
    })

    it(`should keep pixels in [0, 1] and pass the gradient only where P is not clipped, or straight through, on ${backend} (P45)`, async () => {
      await useBackend(backend)
      // With epsilonTheta = 0 and one step, P = x_0 + sqrt((1 - abar) / abar) eps pixel by pixel, and dP/dx = 2.
      const silent: EpsilonModel = xT => xT.mul(0)
      const abar = schedule.alphasCumprod[299]!
      await fc.assert(
        fc.asyncProperty(fc.nat(1e6), fc.constantFrom(...processes), fc.boolean(), fc.boolean(), async (seed, reverse, clip, straight) => {
          const draws = createDraws({ seed, images: ids })
          const clampGradient = straight ? 'straightThrough' : 'exact'
          const purifier = purifierOf(silent, { reverse, clip, clampGradient, intervals: paperTimesteps({ tStar: 0.3, steps: 1 }) })
          const x = pixels(seed, shape)
          const { image, gradient } = imageAndGradient(purifier, x, { draws, u: tensor(new Float64Array(32).fill(1), shape) })
          const noise = draws.normalValues('forward', shape.slice(1))
          const p = Float64Array.from(await x.data(), (value, i) => 2 * value - 1 + Math.sqrt((1 - abar) / abar) * noise[i]!)
          expectAllNear(
            await gradient.data(),
            p.map(value => (straight || Math.abs(value) <= 1 ? 1 : 0)),
            1e-6,
          )
          expectAllNear(
            await image.data(),
            p.map(value => Math.min(Math.max((value + 1) / 2, 0), 1)),
            1e-5,
          )
          expect(new Set(p.map(value => Math.sign(Math.abs(value) - 1))).size).toBe(2)
        }),
        { numRuns: runs(15) },
      )
    })

    it(`should draw the forward noise once, reverse noise at every step but the last, and nothing else, on ${backend} (P49)`, async () => {
      await useBackend(backend)
      fc.assert(
        fc.property(fc.nat(1e6), purifiers, fc.boolean(), (seed, given, checkpointing) =>
          tidy(() => {
            const drawn: string[] = []
            const draws = recording(createDraws({ seed, images: ids }), name => drawn.push(name))
            purify({ ...given, checkpointing, epsilonTheta: smallUnet(seed, 1) }, pixels(seed, shape), draws)
            const reverse = given.intervals.slice(1).map((_, k) => `reverse/${k}/`)
            expect(drawn).toEqual(['forward/0/', ...(isStochastic(given) ? reverse : [])])
          }),
        ),
        { numRuns: runs(5) },
      )
    })

    it(`should return x_0 for a noise predictor that knows it, for any stride and any process, on ${backend} (P39)`, async () => {
      await useBackend(backend)
      await fc.assert(
        fc.asyncProperty(fc.nat(1e6), purifiers, async (seed, given) => {
          const x = pixels(seed, shape)
          const epsilonTheta: EpsilonModel = (xT, t) => {
            const abar = schedule.alphasCumprod[t[0]!]!
            return xT.sub(x.mul(2).sub(1).mul(Math.sqrt(abar))).div(Math.sqrt(1 - abar))
          }
          const image = purify({ ...given, epsilonTheta }, x, createDraws({ seed, images: ids }))
          expectAllNear(await image.data(), await x.data(), isFloat32(backend) ? 1e-5 : 1e-10)
        }),
        { numRuns: runs(10) },
      )
    })
  }

  it('should agree between the backends, image and gradient (P46)', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(1e6), purifiers, async (seed, given) => {
        const of = async (backend: string) => {
          await useBackend(backend)
          const purifier = { ...given, epsilonTheta: smallEpsilon(seed, 1) }
          const arguments_ = { draws: createDraws({ seed, images: ids }), u: gaussian(seed, 'u', shape) }
          const { image, gradient } = imageAndGradient(purifier, pixels(seed, shape), arguments_)
          return [await image.data(), await gradient.data()] as const
        }
        await useBackend('reference')
        fc.pre(
          marginToKinks({ ...given, epsilonTheta: smallEpsilon(seed, 1) }, pixels(seed, shape), createDraws({ seed, images: ids })) > 1e-3,
        )
        const expected = await of('reference')
        expect(await of('fakeAsync')).toEqual(expected)
        const cpu = await of('cpu')
        expectAllNear(cpu[0], expected[0], 1e-5)
        expectAllNear(cpu[1], expected[1], 1e-4)
      }),
      { numRuns: runs(15) },
    )
  })

  it('should leave nothing behind but its result', async () => {
    await useBackend('reference')
    const epsilonTheta = smallEpsilon(1, 1)
    const draws = createDraws({ seed: 1, images: ids })
    const x = pixels(1, shape)
    const before = liveTensors()
    const image = tidy(() => purify(purifierOf(epsilonTheta), x, draws))
    expect(liveTensors() - before).toBe(1)
    image.dispose()
  })

  it('should refuse a purifier without steps, steps with a gap, and draws for another number of images', async () => {
    await useBackend('reference')
    const draws = createDraws({ seed: 0, images: ids })
    const x = pixels(0, shape)
    const attempt = (intervals: Purifier['intervals'], given = draws) =>
      tidy(() => purify(purifierOf(smallEpsilon(0, 1), { intervals }), x, given))
    const remedy = 'make the intervals with paperTimesteps or faithfulTimesteps'
    expect(() => attempt([])).toThrow(`purify: the purifier has no reverse steps; ${remedy}`)
    expect(() =>
      attempt([
        { t: 99, s: 50 },
        { t: 49, s: -1 },
      ]),
    ).toThrow(`purify: step 0 ends at s = 50, but the next starts at t = 49; ${remedy}`)
    expect(() => attempt([{ t: 99, s: 0 }])).toThrow('step 0 ends at s = 0, but the last must end at s < 0')
    const last = [{ t: 99, s: -1 }]
    expect(() => attempt(last, draws.forImages([3]))).toThrow('purify: 2 images but draws for 1; give draws.forImages(ids)')
    expect(() => attempt(last, draws.forImages([3, 4, 5]))).toThrow('purify: 2 images but draws for 3')
  })
})
