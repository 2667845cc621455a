import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { jsonDifferences, toJsonValue } from '../../../experiments/support/json.ts'

/** JSON writes -0 as 0, which no measurement needs to tell apart. */
const jsonValue = fc.jsonValue().map(value => JSON.parse(JSON.stringify(value)))

describe('toJsonValue', () => {
  it('should give back what survives JSON unchanged', () => {
    fc.assert(
      fc.property(jsonValue, value => {
        expect(JSON.parse(JSON.stringify(toJsonValue(value, 'x')))).toEqual(value)
      }),
    )
  })

  it('should leave out properties that are undefined', () => {
    expect(Object.keys(toJsonValue({ a: 1, b: undefined }, 'x')!)).toEqual(['a'])
  })

  it.each<[unknown, RegExp]>([
    [{ loss: [1, Number.NaN] }, /^x\.loss\[1\] is NaN, which JSON cannot hold/],
    [Number.NEGATIVE_INFINITY, /^x is -Infinity/],
    [{ w: new Float32Array(1) }, /^x\.w is a Float32Array/],
    [[undefined], /^x\[0\] is a undefined/],
    [{ at: new Date(0) }, /^x\.at is a Date/],
    [{ n: 1n }, /^x\.n is a bigint/],
  ])('should refuse what JSON would change: %o', (value, message) => {
    expect(() => toJsonValue(value, 'x')).toThrow(message)
  })
})

describe('jsonDifferences', () => {
  it('should find none between a value and itself with its keys in another order', () => {
    const reversed = (value: unknown): unknown =>
      Array.isArray(value)
        ? value.map(reversed)
        : value !== null && typeof value === 'object'
          ? Object.fromEntries(
              Object.entries(value)
                .reverse()
                .map(([k, v]) => [k, reversed(v)]),
            )
          : value
    fc.assert(
      fc.property(jsonValue, value => {
        expect(jsonDifferences(value, reversed(value) as never)).toEqual([])
      }),
    )
  })

  it('should show the beginning of long values', () => {
    expect(jsonDifferences('x'.repeat(100), 1)).toEqual([` "${'x'.repeat(36)}... -> 1`])
  })

  it('should name every place that differs', () => {
    const before = { attack: { steps: 20, norm: 'linf' }, seeds: [0, 1], old: true, sizes: [1] }
    const after = { attack: { steps: 40, norm: 'linf' }, seeds: [0, 2], fresh: null, sizes: [1, 2] }
    expect(jsonDifferences(before, after)).toEqual([
      'attack.steps 20 -> 40',
      'seeds[1] 1 -> 2',
      'old true -> not set',
      'sizes [1] -> [1,2]',
      'fresh not set -> null',
    ])
  })
})
