import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { karrasSigmas } from '../../../algorithms/diffusion/edm.ts'
import { langevinStep } from '../../../algorithms/diffusion/langevin.ts'
import { paperVpSde, vpsdeMarginal, vpsdeReverseStep } from '../../../algorithms/diffusion/vpsde.ts'
import type { EpsilonModel } from '../../../algorithms/models/types.ts'
import { type EdmPurifier, purifyEdm } from '../../../algorithms/purification/purifyEdm.ts'
import { purifyVpsde, type VpsdePurifier, type VpsdeReverse, vpsdeEvaluations } from '../../../algorithms/purification/purifyVpsde.ts'
import { faithfulVpsdeTimes, paperVpsdeTimes } from '../../../algorithms/purification/vpsdeTimes.ts'
import { createDraws, type Draws } from '../../../algorithms/randomness/draws.ts'
import { liveTensors, type Tensor, tensor, tidy, useBackend, valueAndGrad } from '../../../core/index.ts'
import { backendsUnderTest } from '../../support/backends.ts'
import { dot, expectAllNear, expectNear } from '../../support/numbers.ts'
import { runs } from '../../support/replay.ts'
import { bits, gaussian, pixels, recording, smallEpsilon } from '../fixtures.ts'

const shape = [2, 1, 4, 4]
const ids = [3, 8]

/** A purifier in continuous time as a function of images and draws, without its network. */
interface Process {
  readonly name: string
  readonly purify: (network: EpsilonModel, given: { x: Tensor; draws: Draws; checkpointing?: boolean }) => Tensor
  /** Names of what it draws after the forward noise. */
  readonly drawn: readonly string[]
}

const vpsde = (name: string, reverse: VpsdeReverse, drawn: readonly string[]): Process => ({
  name,
  // Clamping is left to a test of its own: its kinks are no place for differences.
  purify: (epsilonTheta, { x, draws, checkpointing = false }) =>
    purifyVpsde({ epsilonTheta, intervals: paperVpsdeTimes({ tStar: 0.1, steps: 3 }), reverse, clamp: false, checkpointing }, x, draws),
  drawn,
})

/** Images far from 0 and 1, so that none of the result is clamped. */
const edm = (name: string, sChurn: number, drawn: readonly string[]): Process => ({
  name,
  purify: (network, { x, draws, checkpointing = false }) => {
    const denoiser: EdmPurifier['denoiser'] = (image, sigma) =>
      network(
        image,
        sigma.map(level => 1000 * level),
      ).mul(0.3)
    const sigmas = karrasSigmas({ steps: 3, sigmaMax: 0.1, sigmaMin: 0.01 })
    return purifyEdm({ denoiser, sigmas, churn: { sChurn, sMin: 0.02 }, checkpointing }, x, draws)
  },
  drawn,
})

const processes: readonly Process[] = [
  vpsde('the SDE', { kind: 'sde' }, ['reverse/0/', 'reverse/1/']),
  vpsde('the SDE with corrector', { kind: 'sde', corrector: { snr: 0.16 } }, [
    'reverse/0/corrector',
    'reverse/0/',
    'reverse/1/corrector',
    'reverse/1/',
    'reverse/2/corrector',
  ]),
  vpsde('the flow', { kind: 'flow' }, []),
  edm('EDM', 0, []),
  edm('EDM with churn', 1, ['reverse/0/', 'reverse/1/']),
]

const middling = (seed: number): Tensor => pixels(seed, shape, { low: 0.4, high: 0.6 })

const imageAndGradient = (process: Process, seed: number, o: { draws: Draws; checkpointing?: boolean }) => {
  const { gradient, aux } = valueAndGrad((x: Tensor) => {
    const image = process.purify(smallEpsilon(seed, 1), { ...o, x })
    return [image.mul(gaussian(seed, 'u', shape)).sum(), image] as const
  })(middling(seed))
  return { image: aux, gradient }
}

describe.each(processes)('purifier in continuous time: $name', process => {
  it('should have the gradient of central differences through every step (P54)', async () => {
    await useBackend('reference')
    const h = 1e-5
    fc.assert(
      fc.property(fc.nat(1e6), seed =>
        tidy(() => {
          const draws = createDraws({ seed, images: ids })
          const [u, v] = [gaussian(seed, 'u', shape), gaussian(seed, 'v', shape)]
          const value = (at: number): number =>
            process
              .purify(smallEpsilon(seed, 1), { x: middling(seed).add(v.mul(at)), draws })
              .mul(u)
              .sum()
              .dataSync()[0]!
          const { image, gradient } = imageAndGradient(process, seed, { draws })
          fc.pre(process.name.startsWith('EDM') ? image.dataSync().every(pixel => pixel > 1e-3 && pixel < 1 - 1e-3) : true)
          const g = gradient.dataSync()
          const scale = Math.sqrt(dot(g, g) * dot(v.dataSync(), v.dataSync()))
          expectNear((value(h) - value(-h)) / (2 * h), dot(g, v.dataSync()), 1e-6 * scale + 1e-9)
        }),
      ),
      { numRuns: runs(8) },
    )
  })

  for (const backend of ['reference', 'cpu'] as const) {
    it(`should give the bits of the plain purifier and gradient when steps are recomputed, on ${backend} (P55)`, async () => {
      await useBackend(backend)
      await fc.assert(
        fc.asyncProperty(fc.nat(1e6), async seed => {
          const of = async (checkpointing: boolean) => {
            const { image, gradient } = imageAndGradient(process, seed, { draws: createDraws({ seed, images: ids }), checkpointing })
            return [await bits(image), await bits(gradient)]
          }
          expect(await of(true)).toEqual(await of(false))
        }),
        { numRuns: runs(4) },
      )
    })
  }

  it('should draw the forward noise once, then its own at the steps that need it, and nothing else (P49)', async () => {
    await useBackend('reference')
    for (const checkpointing of [false, true]) {
      const drawn: string[] = []
      const draws = recording(createDraws({ seed: 1, images: ids }), name => drawn.push(name))
      tidy(() => process.purify(smallEpsilon(1, 1), { x: middling(1), draws, checkpointing }))
      expect(drawn).toEqual(['forward/0/', ...process.drawn])
    }
  })

  for (const backend of backendsUnderTest) {
    it(`should purify an image alike in every batch and order, bit for bit, on ${backend} (P48)`, async () => {
      await useBackend(backend)
      const [one, other] = [pixels(1, [1, 1, 4, 4]), pixels(2, [1, 1, 4, 4])]
      const both = async (a: Tensor, b: Tensor) => tensor([...(await a.data()), ...(await b.data())], shape)
      const draws = createDraws({ seed: 4, images: ids })
      const imagesOf = async (x: Tensor, images: readonly number[]) => [
        ...(await process.purify(smallEpsilon(4, 1), { x, draws: draws.forImages(images) }).data()),
      ]
      const [first, second] = [await imagesOf(one, [3]), await imagesOf(other, [8])]
      expect(await imagesOf(await both(one, other), [3, 8])).toEqual([...first, ...second])
      expect(await imagesOf(await both(other, one), [8, 3])).toEqual([...second, ...first])
    })
  }

  it('should leave nothing behind but its result, and refuse draws for another number of images', async () => {
    await useBackend('reference')
    const [network, x, draws] = [smallEpsilon(1, 1), middling(1), createDraws({ seed: 1, images: ids })]
    const before = liveTensors()
    const image = tidy(() => process.purify(network, { x, draws }))
    expect(liveTensors() - before).toBe(1)
    image.dispose()
    expect(() => process.purify(network, { x, draws: draws.forImages([1]) })).toThrow('2 images but draws for 1; give draws.forImages(ids)')
  })
})

describe('purifyVpsde (E5)', () => {
  const silent: EpsilonModel = xT => xT.mul(0)
  const purifier = (given: Partial<VpsdePurifier>): VpsdePurifier => ({
    epsilonTheta: smallEpsilon(1, 1),
    intervals: paperVpsdeTimes({ tStar: 0.1, steps: 3 }),
    reverse: { kind: 'sde' },
    ...given,
  })

  it('should tell the network 999 t, or t times the scale of the published scripts, at every evaluation', async () => {
    await useBackend('reference')
    const labelsOf = (given: Partial<VpsdePurifier>): number[] => {
      const labels: number[] = []
      const epsilonTheta: EpsilonModel = (xT, t) => {
        labels.push(t[0]!)
        expect(t).toEqual([t[0], t[0]])
        return smallEpsilon(1, 1)(xT, t)
      }
      tidy(() => purifyVpsde(purifier({ ...given, epsilonTheta }), pixels(1, shape), createDraws({ seed: 1, images: ids })))
      return labels
    }
    expectAllNear(labelsOf({}), [99.9, 66.6, 33.3], 1e-12)
    const reverse = { kind: 'sde', corrector: { snr: 0.16 } } as const
    expectAllNear(labelsOf({ reverse }), [99.9, 99.9, 66.6, 66.6, 33.3, 33.3], 1e-12)
    expect(labelsOf({ reverse })).toHaveLength(vpsdeEvaluations(purifier({ reverse })))
    expectAllNear(labelsOf({ labelScale: 4, intervals: faithfulVpsdeTimes({ tStar: 0.1, inferenceSteps: 5 }) }), [4 * 0.25075, 4e-3], 1e-9)
    expect(vpsdeEvaluations({ intervals: faithfulVpsdeTimes({ tStar: 0.1, inferenceSteps: 1000 }), reverse })).toBe(202)
  })

  it('should clamp by default and pass the gradient only where it does not, or straight through, or not clamp as the published attacks (P45)', async () => {
    await useBackend('reference')
    fc.assert(
      fc.property(fc.nat(1e6), seed =>
        tidy(() => {
          // With epsilonTheta = 0 one step only scales: x_mean = (1 + beta dt / 2) x_t.
          const intervals = paperVpsdeTimes({ tStar: 0.5, steps: 1 })
          const draws = createDraws({ seed, images: ids })
          const { mean, std } = vpsdeMarginal(paperVpSde, 0.5)
          const growth = 1 + (10.05 * 0.5) / 2
          const noise = draws.normalValues('forward', shape.slice(1))
          const x = pixels(seed, shape)
          const raw = Float64Array.from(x.dataSync(), (pixel, i) => (growth * (mean * (2 * pixel - 1) + std * noise[i]!) + 1) / 2)
          for (const [clamp, clampGradient] of [[true], [true, 'straightThrough'], [false]] as const) {
            const { gradient, aux } = valueAndGrad((input: Tensor) => {
              const given = { epsilonTheta: silent, intervals, ...(clamp ? {} : { clamp }), ...(clampGradient && { clampGradient }) }
              const image = purifyVpsde(purifier(given), input, draws)
              return [image.sum(), image] as const
            })(x)
            expectAllNear(
              aux.dataSync(),
              raw.map(value => (clamp ? Math.min(Math.max(value, 0), 1) : value)),
              1e-12,
            )
            expectAllNear(
              gradient.dataSync(),
              raw.map(value => (clamp && !clampGradient && (value < 0 || value > 1) ? 0 : growth * mean)),
              1e-12,
            )
          }
          expect(raw.some(value => value < 0 || value > 1)).toBe(true)
        }),
      ),
      { numRuns: runs(10) },
    )
  })

  it('should take the Langevin step with noise of its own, and the step of the SDE from where that leads', async () => {
    await useBackend('reference')
    const [network, x, draws] = [smallEpsilon(1, 1), middling(1), createDraws({ seed: 1, images: ids })]
    const shown: Tensor[] = []
    const epsilonTheta: EpsilonModel = (xT, t) => {
      shown.push(xT)
      return network(xT, t)
    }
    const given = purifier({ epsilonTheta, reverse: { kind: 'sde', corrector: { snr: 0.2 } }, clamp: false })
    const image = purifyVpsde(given, x, draws)
    given.intervals.forEach(({ t, dt }, diffusionStep) => {
      const [before, corrected, after = image.mul(2).sub(1)] = shown.slice(2 * diffusionStep) as [Tensor, Tensor, Tensor?]
      const epsilonAt = (xT: Tensor): Tensor => network(xT, [999 * t, 999 * t])
      const noise = (part: string): Tensor => draws.normal('reverse', shape.slice(1), { diffusionStep, part })
      const moved = langevinStep(paperVpSde, before, { t, epsilon: epsilonAt(before), z: noise('corrector'), snr: 0.2 })
      expectAllNear(corrected.dataSync(), moved.dataSync(), 1e-12)
      const next = vpsdeReverseStep(paperVpSde, moved, { t, dt, epsilon: epsilonAt(moved), z: () => noise('') })
      expectAllNear(after.dataSync(), (diffusionStep < 2 ? next.x() : next.xMean).dataSync(), 1e-12)
    })
    expect(shown).toHaveLength(6)
  })

  it('should return nearly x_0 for a noise predictor that knows it, the nearer the more steps', async () => {
    await useBackend('reference')
    const x = pixels(5, shape)
    const epsilonTheta: EpsilonModel = (xT, t) => {
      const { mean, std } = vpsdeMarginal(paperVpSde, t[0]! / 999)
      return xT.sub(x.mul(2).sub(1).mul(mean)).div(std)
    }
    const distance = (reverse: VpsdeReverse, steps: number): number => {
      const given = purifier({ epsilonTheta, reverse, intervals: paperVpsdeTimes({ tStar: 0.1, steps }) })
      const off = tidy(() => purifyVpsde(given, x, createDraws({ seed: 2, images: ids })).sub(x)).dataSync()
      return Math.sqrt(dot(off, off) / off.length)
    }
    for (const reverse of [{ kind: 'sde' }, { kind: 'flow' }] as const) {
      expect(distance(reverse, 100)).toBeLessThan(0.05)
      expect(distance(reverse, 400)).toBeLessThan(0.6 * distance(reverse, 100))
    }
  })

  it('should refuse a purifier without steps and steps that do not go back', () => {
    const attempt = (intervals: VpsdePurifier['intervals']) => () =>
      purifyVpsde(purifier({ intervals }), pixels(0, shape), createDraws({ seed: 0, images: ids }))
    expect(attempt([])).toThrow('purifyVpsde: the purifier has no reverse steps; make the intervals with paperVpsdeTimes')
    const twice = [0.1, 0.1].map(t => ({ t, dt: 0.05 }))
    expect(attempt(twice)).toThrow('step 0 is at time 0.1, but the next at 0.1, not earlier')
  })
})
