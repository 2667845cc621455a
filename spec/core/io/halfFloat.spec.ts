import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeBf16, decodeF16, encodeBf16, encodeF16 } from '../../../core/io/halfFloat.ts'
import { runs } from '../../support/replay.ts'

const ALL = Uint16Array.from({ length: 65536 }, (_, bits) => bits)

describe.each([
  { format: 'F16', decode: decodeF16, encode: encodeF16, infinity: 0x7c00, quietNan: 0x7e00 },
  { format: 'BF16', decode: decodeBf16, encode: encodeBf16, infinity: 0x7f80, quietNan: 0x7fc0 },
])('$format', ({ decode, encode, infinity, quietNan }) => {
  const values = decode(ALL)

  it('should encode every decoded value to its own bits, and any NaN to the quiet one', () => {
    expect(encode(values)).toEqual(ALL.map(bits => ((bits & 0x7fff) > infinity ? quietNan : bits)))
  })

  it('should grow strictly with the bits of a positive number', () => {
    const falls = values.subarray(0, infinity).findIndex((value, bits) => !(value < values[bits + 1]))
    expect(falls).toBe(-1)
  })

  it('should round to the nearest value, and at equal distance to the even one', () => {
    // The largest finite value has no finite neighbour above, so it is left out.
    fc.assert(
      fc.property(fc.nat(infinity - 2), fc.double({ min: 0, max: 1, noNaN: true }), fc.boolean(), (bits, part, negative) => {
        const [below, above] = [values[bits], values[bits + 1]]
        for (const share of [part, 0.5]) {
          const x = Math.fround(below + share * (above - below))
          const [toBelow, toAbove] = [x - below, above - x]
          const nearest = toBelow < toAbove || (toBelow === toAbove && bits % 2 === 0) ? bits : bits + 1
          expect(encode(Float32Array.of(negative ? -x : x))[0]).toBe(negative ? nearest | 0x8000 : nearest)
        }
      }),
      { numRuns: runs(2000) },
    )
  })
})

describe('F16 and BF16 constants', () => {
  it('should decode the values of the standards', () => {
    // IEEE 754-2019 binary16: one, smallest subnormal, smallest normal, largest, 1/3 rounded, minus two.
    expect(decodeF16(Uint16Array.of(0x3c00, 0x0001, 0x0400, 0x7bff, 0x3555, 0xc000))).toEqual(
      Float32Array.of(1, 2 ** -24, 2 ** -14, 65504, 0.333251953125, -2),
    )
    expect(decodeBf16(Uint16Array.of(0x3f80, 0x0001, 0x7f7f, 0xc000))).toEqual(Float32Array.of(1, 2 ** -133, (2 - 2 ** -7) * 2 ** 127, -2))
  })

  it('should round from the largest finite value to infinity at half a step', () => {
    expect(encodeF16(Float32Array.of(65519, 65520, -65520))).toEqual(Uint16Array.of(0x7bff, 0x7c00, 0xfc00))
  })
})
