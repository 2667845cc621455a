import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { rbgm } from '../../algorithms/training/rbgm.ts'
import { dispose, tensor, useBackend } from '../../core/index.ts'
import { permutation, uniform } from '../../core/random/distributions.ts'
import { foldIn, key } from '../../core/random/key.ts'
import { backendsUnderTest, isFloat32 } from '../support/backends.ts'
import { expectNear } from '../support/numbers.ts'
import { runs } from '../support/replay.ts'
import {
  argsort,
  ascending,
  distinct,
  followsOrder,
  gaussian,
  mapped,
  planesOf,
  type RbgmCase,
  rbgmCases,
  tieBreakOf,
  tied,
} from './rbgmCases.ts'

/** Holds for random shapes and seeds. Everything is exact: RBGM moves values and computes none. */
const forAll = (claim: (given: RbgmCase) => Promise<void>): Promise<void> =>
  fc.assert(fc.asyncProperty(rbgmCases, claim), { numRuns: runs(12) })

/** Increasing functions that keep the values of `distinct` distinct in float32. */
const increasing: Record<string, (x: number) => number> = {
  affine: x => 1.7 * x - 3,
  cube: x => x ** 3,
  sinh: Math.sinh,
  exp: Math.exp,
}

/** Values with the pixels of each plane in another order. */
const reordered = (values: ArrayLike<number>, order: ArrayLike<number>, shape: RbgmCase['shape']): number[] =>
  planesOf(values, shape).flatMap(plane => plane.map((_, i) => plane[order[i]!]!))

describe.each(backendsUnderTest)('RBGM (E8) on %s', backend => {
  beforeAll(() => useBackend(backend))

  it('should keep exactly the values of the noise in every image and channel (P1)', () =>
    forAll(async given => {
      const { shape } = given
      for (const z of [gaussian(given, 'z'), tied(given, 'z')]) {
        const out = await mapped(shape, { delta: tied(given, 'delta'), z, tieBreak: tieBreakOf(given) })
        expect(planesOf(out, shape).map(ascending)).toEqual(planesOf(z, shape).map(ascending))
      }
    }))

  it('should order the values as delta, strictly where values are distinct (P2)', () =>
    forAll(async given => {
      const { shape } = given
      for (const [delta, z, strict] of [
        [distinct(given, 'delta'), distinct(given, 'z'), true],
        [tied(given, 'delta'), tied(given, 'z'), false],
      ] as const) {
        const out = planesOf(await mapped(shape, { delta, z, tieBreak: tieBreakOf(given) }), shape)
        planesOf(delta, shape).forEach((by, plane) => {
          expect(followsOrder(out[plane]!, by, { strict })).toBe(true)
        })
      }
    }))

  it('should give the same for every increasing function of delta (P3)', () =>
    forAll(async given => {
      const z = gaussian(given, 'z')
      const tieBreak = tieBreakOf(given)
      for (const delta of [distinct(given, 'delta'), tied(given, 'delta')]) {
        const expected = await mapped(given.shape, { delta, z, tieBreak })
        for (const f of Object.values(increasing)) {
          expect(await mapped(given.shape, { delta: delta.map(f), z, tieBreak })).toEqual(expected)
        }
      }
    }))

  it('should negate when delta and the noise are negated (P4)', () =>
    forAll(async given => {
      const [delta, z, tieBreak] = [distinct(given, 'delta'), gaussian(given, 'z'), tieBreakOf(given)]
      const negated = await mapped(given.shape, { delta: delta.map(x => -x), z: z.map(x => -x), tieBreak })
      expect(negated.map(x => -x)).toEqual(await mapped(given.shape, { delta, z, tieBreak }))
    }))

  it('should leave the other channels bitwise alone when one is changed or two are exchanged (P5)', () =>
    forAll(async given => {
      const { shape } = given
      const before = { delta: tied(given, 'delta'), z: gaussian(given, 'z'), tieBreak: tieBreakOf(given) }
      const expected = planesOf(await mapped(shape, before), shape)
      const changed = given.seed % expected.length
      const other = { delta: tied(given, 'other'), z: gaussian(given, 'other'), tieBreak: tieBreakOf(given, 'other') }
      const mix = (mine: ArrayLike<number>, theirs: ArrayLike<number>) => {
        const replacement = planesOf(theirs, shape)
        return planesOf(mine, shape).flatMap((plane, i) => (i === changed ? replacement[i]! : plane))
      }
      const mixed = {
        delta: mix(before.delta, other.delta),
        z: mix(before.z, other.z),
        tieBreak: mix(before.tieBreak, other.tieBreak),
      }
      planesOf(await mapped(shape, mixed), shape).forEach((plane, i) => {
        if (i !== changed) expect(plane).toEqual(expected[i])
      })

      const reverse = (values: ArrayLike<number>) => planesOf(values, shape).reverse().flat()
      const reversed = { delta: reverse(before.delta), z: reverse(before.z), tieBreak: reverse(before.tieBreak) }
      expect(planesOf(await mapped(shape, reversed), shape)).toEqual([...expected].reverse())
    }))

  it('should permute with the pixels of delta (P6)', () =>
    forAll(async given => {
      const { shape } = given
      const [delta, z, tieBreak] = [distinct(given, 'delta'), gaussian(given, 'z'), tieBreakOf(given)]
      const order = permutation(foldIn(key(given.seed), 'order'), shape[2] * shape[3])
      const expected = reordered(await mapped(shape, { delta, z, tieBreak }), order, shape)
      expect(await mapped(shape, { delta: reordered(delta, order, shape), z, tieBreak })).toEqual(expected)
    }))

  it('should have the ranks of delta (P7)', () =>
    forAll(async given => {
      const { shape } = given
      const delta = distinct(given, 'delta')
      const out = await mapped(shape, { delta, z: distinct(given, 'z'), tieBreak: tieBreakOf(given) })
      expect(planesOf(out, shape).map(argsort)).toEqual(planesOf(delta, shape).map(argsort))
    }))

  it('should leave noise in its own order alone (P8)', () =>
    forAll(async given => {
      const z = gaussian(given, 'z')
      expect(await mapped(given.shape, { delta: z, z, tieBreak: tieBreakOf(given) })).toEqual([...z])
    }))

  it('should keep mean, variance and norm of the noise to 1e-12 (P9)', () =>
    forAll(async given => {
      const { shape } = given
      const z = gaussian(given, 'z')
      const out = planesOf(await mapped(shape, { delta: tied(given, 'delta'), z, tieBreak: tieBreakOf(given) }), shape)
      planesOf(z, shape).forEach((noise, plane) => {
        const moments = (values: readonly number[]): number[] => {
          const mean = values.reduce((sum, x) => sum + x, 0) / values.length
          const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length
          return [mean, variance, Math.hypot(...values)]
        }
        const expected = moments(noise)
        moments(out[plane]!).forEach((moment, i) => {
          expectNear(moment, expected[i]!, 1e-12 * Math.max(1, expected[i]!))
        })
      })
    }))

  it('should rank tied values by the tie-break alone, within the order of delta, repeatably (P11)', () =>
    forAll(async given => {
      const { shape } = given
      const [delta, z] = [tied(given, 'delta'), distinct(given, 'z')]
      for (const tieBreak of [tieBreakOf(given), tieBreakOf(given, 'other')]) {
        const out = await mapped(shape, { delta, z, tieBreak })
        expect(planesOf(out, shape).map(ascending)).toEqual(planesOf(z, shape).map(ascending))
        const breaks = planesOf(tieBreak, shape)
        planesOf(out, shape).forEach((values, plane) => {
          const by = planesOf(delta, shape)[plane]!
          expect(followsOrder(values, by, { strict: true })).toBe(true)
          for (const level of new Set(by)) {
            const among = (all: readonly number[]) => all.filter((_, i) => by[i] === level)
            expect(followsOrder(among(values), among(breaks[plane]!), { strict: true })).toBe(true)
          }
        })
        expect(await mapped(shape, { delta, z, tieBreak })).toEqual(out)
      }
    }))

  it('should refuse NaN, naming image, channel and position, and rank infinities at the ends (P12)', () =>
    forAll(async given => {
      const { shape, seed } = given
      const [, channels, height, width] = shape
      const [delta, z, tieBreak] = [distinct(given, 'delta'), distinct(given, 'z'), tieBreakOf(given)]
      const at = Math.floor(uniform(key(seed), 1)[0]! * delta.length)
      const withValue = (value: number) => delta.map((x, i) => (i === at ? value : x))
      const plane = Math.floor(at / (height * width))
      const [image, channel] = [Math.floor(plane / channels), plane % channels]
      const [row, column] = [Math.floor((at % (height * width)) / width), at % width]
      const place = `image ${image}, channel ${channel}, row ${row}, column ${column};`
      await expect(mapped(shape, { delta: withValue(Number.NaN), z, tieBreak })).rejects.toThrow(`rbgm: delta is NaN at ${place}`)

      const sorted = ascending(planesOf(z, shape)[plane]!)
      expect((await mapped(shape, { delta: withValue(Infinity), z, tieBreak }))[at]).toBe(sorted.at(-1))
      expect((await mapped(shape, { delta: withValue(-Infinity), z, tieBreak }))[at]).toBe(sorted[0])
    }))

  it("should map the input of Figure 5 to the ranks' values (P15)", async () => {
    const z = [1.2, 0, -1.6, 0.8, -0.6, 0.4, -0.2]
    const delta = [0.5, -2.2, -1.4, 7.2, 5.1, -0.6, 1.1]
    const out = await mapped([1, 1, 1, 7], { delta, z, tieBreak: new Array(7).fill(0) })
    const precision = isFloat32(backend) ? Math.fround : (x: number) => x
    expect(out).toEqual([0, -1.6, -0.6, 1.2, 0.8, -0.2, 0.4].map(precision))
  })

  it('should equal gathering the sorted noise at the ranks, argsort of argsort (P16)', () =>
    forAll(async given => {
      const { shape } = given
      const [delta, z] = [distinct(given, 'delta'), gaussian(given, 'z')]
      const noise = planesOf(z, shape).map(ascending)
      const gathered = planesOf(delta, shape).flatMap((plane, i) => argsort(argsort(plane)).map(rank => noise[i]![rank]!))
      expect(await mapped(shape, { delta, z, tieBreak: tieBreakOf(given) })).toEqual(gathered)
    }))

  it('should refuse shapes that differ and a tie-break of another size', async () => {
    const four = { delta: [1, 2, 3, 4], z: [1, 2, 3, 4] }
    await expect(mapped([1, 1, 2, 2], { ...four, tieBreak: [0] })).rejects.toThrow('rbgm: tieBreak has 1 values for 4 elements')
    const [wide, tall] = [tensor(four.delta, [1, 1, 1, 4]), tensor(four.z, [1, 1, 4, 1])]
    await expect(rbgm(wide, tall, { tieBreak: four.z })).rejects.toThrow('got [1,1,1,4] and [1,1,4,1]')
    dispose([wide, tall])
  })
})
