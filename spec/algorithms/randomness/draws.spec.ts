import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import {
  type DrawContext,
  type DrawPlace,
  evaluationSources,
  type Purpose,
  type Source,
  trainingSources,
} from '../../../algorithms/randomness/drawName.ts'
import { createDraws } from '../../../algorithms/randomness/draws.ts'
import { setBackend } from '../../../core/backends/backend.ts'
import { createFakeAsync } from '../../../core/backends/reference/reference.ts'
import { correlation, kolmogorovSmirnov, normalCdf } from '../../core/random/statistics.ts'
import { ksBound, standardErrors } from '../../support/falseFailures.ts'
import { runs } from '../../support/replay.ts'

const registered: readonly Source[] = [...new Set([...evaluationSources, ...trainingSources])]
const purposes: readonly Purpose[] = ['attack', 'select', 'report', 'train']

const source = fc.constantFrom(...registered)
const counter = fc.nat(1000)
const images = fc.array(counter, { minLength: 1, maxLength: 6 })
const context: fc.Arbitrary<DrawContext> = fc.record({
  purpose: fc.constantFrom(...purposes),
  repetition: counter,
  attackStep: counter,
  eotSample: counter,
})
const place: fc.Arbitrary<DrawPlace> = fc.record({ diffusionStep: counter, part: fc.constantFrom('', 'tie', 'down.0') })

describe('draws', () => {
  beforeAll(() => {
    setBackend(createFakeAsync())
  })

  it('should repeat a draw bit for bit under the same name (P46)', async () => {
    await fc.assert(
      fc.asyncProperty(fc.maxSafeNat(), images, source, context, place, async (seed, ids, from, where, at) => {
        const draw = async () => [...(await createDraws({ seed, images: ids, registered }).at(where).normal(from, [2, 3], at).data())]
        expect(await draw()).toEqual(await draw())
      }),
      { numRuns: runs(30) },
    )
  })

  it('should not depend on how the batch is split or ordered (P48)', () => {
    fc.assert(
      fc.property(images, fc.nat(5), source, context, place, (ids, cut, from, where, at) => {
        const draws = createDraws({ seed: 4, images: ids, registered }).at(where)
        const whole = draws.normalValues(from, [5], at)
        const parts = [ids.slice(0, cut), ids.slice(cut)].flatMap(some => [...draws.forImages(some).normalValues(from, [5], at)])
        expect(parts).toEqual([...whole])
        const reversed = draws.forImages([...ids].reverse())
        ids.forEach((_, i) => {
          const j = ids.length - 1 - i
          expect(reversed.normalValues(from, [5], at).slice(j * 5, j * 5 + 5)).toEqual(whole.slice(i * 5, i * 5 + 5))
          expect(reversed.integers(from, { low: 0, high: 1000 }, at)[j]).toBe(draws.integers(from, { low: 0, high: 1000 }, at)[i])
        })
      }),
    )
  })

  it('should not depend on the order in which EoT samples, steps and sources are drawn (P48)', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(source, context, place), { minLength: 2, maxLength: 8 }), names => {
        const inOrder = (order: typeof names) => {
          const draws = createDraws({ seed: 4, images: [3], registered })
          return order.map(([from, where, at]) => draws.at(where).uniformValues(from, [3], at))
        }
        expect(inOrder([...names].reverse()).reverse()).toEqual(inOrder(names))
      }),
    )
  })

  // 64-bit keys: the 5e3 pairs of a run meet by chance with probability 3e-16 in all.
  it('should give different names different keys', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(source, counter, context, place), { selector: name => JSON.stringify(name), minLength: 2 }),
        names => {
          const draws = createDraws({ seed: 8, images: [], registered })
          const keys = names.map(([from, image, where, at]) => draws.at(where).key(from, image, at).join())
          expect(new Set(keys).size).toBe(names.length)
        },
      ),
    )
  })

  it('should keep the keys of attack, selection and report disjoint (P52)', () => {
    const draws = createDraws({ seed: 5, images: [0, 1, 2] })
    const keysOf = (purpose: Purpose): Set<string> => {
      const keys = new Set<string>()
      for (const from of evaluationSources)
        for (const image of draws.images)
          for (let diffusionStep = 0; diffusionStep < 5; diffusionStep++)
            for (let attackStep = 0; attackStep < 10; attackStep++)
              for (let eotSample = 0; eotSample < 5; eotSample++)
                keys.add(draws.at({ purpose, attackStep, eotSample }).key(from, image, { diffusionStep }).join())
      return keys
    }
    const sets = (['attack', 'select', 'report'] as const).map(keysOf)
    expect(sets.map(set => set.size)).toEqual([2250, 2250, 2250])
    expect(new Set(sets.flatMap(set => [...set])).size).toBe(3 * 2250)
  })

  it('should throw on a source that is not registered, such as dropout in evaluation (P49)', () => {
    const draws = createDraws({ seed: 0, images: [1] })
    for (const from of evaluationSources) expect(() => draws.normal(from, [1])).not.toThrow()
    for (const draw of [
      () => draws.normal('dropout', [1]),
      () => draws.uniform('dropout', [1]),
      () => draws.key('dropout', 1),
      () => draws.integers('dropout', { low: 0, high: 2 }),
      () => draws.at({ purpose: 'train' }).forImages([2]).normalValues('dropout', [1]),
    ]) {
      expect(draw).toThrow(/source "dropout" is not registered \(registered: forward, reverse, init\); switch off/)
    }
    expect(() => createDraws({ seed: 0, images: [1], registered: trainingSources }).normal('dropout', [1])).not.toThrow()
  })

  // n = 49152 values a stream, 21 pairs of streams.
  it('should draw forward noise from N(0, 1), uncorrelated across neighbouring names (P53)', () => {
    const draws = createDraws({ seed: 6, images: [0] }).at({ purpose: 'attack' })
    const shape = [3, 128, 128]
    const streams = [
      draws.normalValues('forward', shape),
      draws.forImages([1]).normalValues('forward', shape),
      draws.at({ attackStep: 1 }).normalValues('forward', shape),
      draws.at({ eotSample: 1 }).normalValues('forward', shape),
      draws.at({ purpose: 'report' }).normalValues('forward', shape),
      draws.normalValues('forward', shape, { diffusionStep: 1 }),
      draws.normalValues('reverse', shape),
    ]
    const n = streams[0]!.length
    expect(kolmogorovSmirnov(streams[0]!, normalCdf)).toBeLessThan(ksBound('law of the forward noise (P53)', n))
    const bound = standardErrors('correlation of named draws (P53)', 21) / Math.sqrt(n)
    streams.forEach((a, i) => {
      for (const b of streams.slice(i + 1)) expect(Math.abs(correlation(a, b))).toBeLessThan(bound)
    })
  })

  it('should shape tensors [images, ...perImageShape] and fill them row-major with the drawn values', async () => {
    const draws = createDraws({ seed: 1, images: [4, 9] })
    const noise = draws.normal('reverse', [1, 2, 2], { diffusionStep: 3 })
    expect(noise.shape).toEqual([2, 1, 2, 2])
    const expected = Float64Array.from([4, 9].flatMap(id => [...draws.forImages([id]).normalValues('reverse', [4], { diffusionStep: 3 })]))
    expect(await noise.data()).toEqual(expected)
    expect(draws.uniform('init', []).shape).toEqual([2])
  })
})
