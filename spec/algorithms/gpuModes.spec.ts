import { beforeAll, describe, expect, it } from 'vitest'
import { purifiedClassifier } from '../../algorithms/evaluation/defence.ts'
import { evaluateBatch } from '../../algorithms/evaluation/robustAccuracy.ts'
import { type Purifier, purify } from '../../algorithms/purification/purify.ts'
import { createDraws } from '../../algorithms/randomness/draws.ts'
import { type LockSetName, lockSets } from '../../algorithms/randomness/lockSets.ts'
import { type Tensor, useBackend, valueAndGrad } from '../../core/index.ts'
import { gpuBackendsUnderTest } from '../support/backends.ts'
import { expectAllNear } from '../support/numbers.ts'
import { bits, gaussian, linearClassifier, pixels, purifierOf, smallEpsilon } from './fixtures.ts'
import { ascending, distinct, followsOrder, gaussian as gaussianValues, mapped, planesOf, tieBreakOf } from './rbgmCases.ts'

const shape = [2, 1, 3, 3]
const ids = [4, 9]

/** A few cases of what every other spec of the algorithms holds in full on the other backends. */
describe.each(gpuBackendsUnderTest)('the algorithms on %s', backend => {
  beforeAll(() => useBackend(backend))

  it('should keep the values of the noise and the order of the perturbation in RBGM (P1, P2)', async () => {
    for (const seed of [1, 2]) {
      const given = { shape: [2, 2, 3, 4] as const, seed }
      const [delta, z] = [distinct(given, 'delta'), gaussianValues(given, 'z')]
      const out = planesOf(await mapped(given.shape, { delta, z, tieBreak: tieBreakOf(given) }), given.shape)
      expect(out.map(ascending)).toEqual(planesOf(z, given.shape).map(ascending))
      planesOf(delta, given.shape).forEach((by, plane) => {
        expect(followsOrder(out[plane]!, by, { strict: false })).toBe(true)
      })
    }
  })

  const imageAndGradient = (given: Partial<Purifier>, seed: number) => {
    const [x, u] = [pixels(seed, shape), gaussian(seed, 'u', shape)]
    const draws = createDraws({ seed, images: ids })
    const { gradient, aux } = valueAndGrad((input: Tensor) => {
      const image = purify(purifierOf(smallEpsilon(seed, 1), given), input, draws)
      return [image.mul(u).sum(), image] as const
    })(x)
    return { image: aux, gradient }
  }

  it('should purify, and differentiate the purifier, as the definition does (P46)', async () => {
    for (const reverse of [
      { kind: 'ddpm', variance: 'fixedLarge' },
      { kind: 'ddim', eta: 0 },
    ] as const) {
      await useBackend('reference')
      const expected = await Promise.all(Object.values(imageAndGradient({ reverse }, 3)).map(t => t.data()))
      await useBackend(backend)
      const { image, gradient } = imageAndGradient({ reverse }, 3)
      expectAllNear(await image.data(), expected[0]!, 1e-5)
      expectAllNear(await gradient.data(), expected[1]!, 1e-4)
    }
  })

  it('should give the same bits again, and when steps are recomputed (P46, P55)', async () => {
    const of = async (checkpointing: boolean) => {
      const { image, gradient } = imageAndGradient({ checkpointing }, 5)
      return [await bits(image), await bits(gradient)]
    }
    const plain = await of(false)
    expect(await of(false)).toEqual(plain)
    expect(await of(true)).toEqual(plain)
  })

  it('should evaluate alike, bit for bit, where a deterministic purifier makes two settings one (P50)', async () => {
    const purifier = purifierOf(smallEpsilon(1, 1), { reverse: { kind: 'ddim', eta: 0 } })
    const defence = purifiedClassifier(purifier, linearClassifier(gaussian(1, 'w', [9, 3])))
    const attack = { norm: 'linf', epsilon: 0.1, stepSize: 0.05, steps: 2 } as const
    const of = async (name: LockSetName) => {
      const setting = { name, locks: lockSets[name], eotSamples: 2 }
      const batch = { images: pixels(1, shape), labels: [0, 2], ids }
      const { xAdv, advCorrect } = await evaluateBatch(defence, batch, { seed: 1, setting, attack, reportDraws: 2 })
      return [await bits(xAdv), advCorrect]
    }
    const [forward, both, reverse, nothing] = [await of('DW_Fwd'), await of('DW_Both'), await of('DW_Rev'), await of('White')]
    expect(forward).toEqual(both)
    expect(reverse).toEqual(nothing)
    expect(nothing).not.toEqual(both)
  })
})
