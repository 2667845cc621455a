import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { foldIn, key, split } from '../../../core/random/key.ts'

describe('key', () => {
  // jax 0.10.2, threefry2x32, jax_threefry_partitionable, jax_enable_x64.
  it('should give the keys of JAX for seeds, splits and integer fold-ins', () => {
    expect(key(42)).toEqual([0, 42])
    expect(key(2 ** 40 + 7)).toEqual([256, 7])
    expect(split(key(42), 3)).toEqual([
      [1832780943, 270669613],
      [64467757, 2916123636],
      [2465931498, 255383827],
    ])
    expect(split(key(2 ** 40 + 7))).toEqual([
      [2775665504, 110793307],
      [1038896816, 4099356745],
    ])
    expect(foldIn(key(42), 1)).toEqual([64467757, 2916123636])
    expect(foldIn(key(42), 0xffffffff)).toEqual([2398536845, 3890976714])
  })

  it('should begin a longer split with the shorter one', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.nat(20), fc.nat(20), (seed, n, more) => {
        expect(split(key(seed), n + more).slice(0, n)).toEqual(split(key(seed), n))
      }),
    )
  })

  // 64-bit keys: the 2e4 pairs of a run meet by chance with probability 1e-15 in all.
  it('should fold different data into different keys, prefixes, digits and empty strings included', () => {
    fc.assert(
      fc.property(
        fc.maxSafeNat(),
        fc.uniqueArray(fc.string({ maxLength: 9, unit: fc.constantFrom('a', 'b', '0', '\0', 'é') })),
        (seed, strings) => {
          const keys = [...strings, ...strings.map((_, i) => i)].map(data => foldIn(key(seed), data).join())
          expect(new Set(keys).size).toBe(keys.length)
        },
      ),
    )
  })

  it('should pin the key of a string, so that runs of other years can be repeated', () => {
    expect(foldIn(key(0), 'forward')).toEqual([1526489342, 4127963396])
  })

  it('should refuse what is not a non-negative safe integer', () => {
    for (const bad of [-1, 0.5, Number.NaN, 2 ** 53]) {
      expect(() => key(bad)).toThrow(/key: needs an integer in \[0, 2\^53\)/)
      expect(() => foldIn([0, 0], bad)).toThrow(/foldIn: needs an integer/)
      expect(() => split([0, 0], bad)).toThrow(/split: needs an integer/)
    }
  })
})
