/**
 * The two 16-bit float formats found in checkpoints, decoded to and encoded from float32.
 *
 * - F16 (IEEE 754 binary16): 1 sign, 5 exponent (bias 15), 10 mantissa bits; largest finite value 65504.
 * - BF16: the upper half of a float32.
 *
 * Decoding is exact. Encoding rounds to nearest, ties to even. A NaN becomes the format's quiet NaN; its payload is lost.
 */

/** The smallest positive F16, and so the unit of its subnormal range. */
const F16_TINY = 2 ** -24
const F16_SMALLEST_NORMAL = 2 ** -14
const F16_NAN = 0x7e00
const F16_INFINITY = 0x7c00
/** Halfway between the largest finite F16 and the next power of two: from here on a value rounds to infinity. */
const F16_OVERFLOW = 65520
const BF16_NAN = 0x7fc0

const decodeF16Bits = (bits: number): number => {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >>> 10) & 31
  const mantissa = bits & 1023
  if (exponent === 0) return sign * mantissa * F16_TINY
  if (exponent === 31) return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15)
}

const roundTiesToEven = (x: number): number => {
  const floor = Math.floor(x)
  const rest = x - floor
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor
}

const encodeF16Bits = (value: number, float32Bits: number): number => {
  if (Number.isNaN(value)) return F16_NAN
  const sign = (float32Bits >>> 16) & 0x8000
  const magnitude = Math.abs(value)
  if (magnitude >= F16_OVERFLOW) return sign | F16_INFINITY
  // A mantissa that rounds up to its full range carries into the exponent, which is the right next value.
  if (magnitude < F16_SMALLEST_NORMAL) return sign | roundTiesToEven(magnitude / F16_TINY)
  const exponent = ((float32Bits >>> 23) & 255) - 127
  return sign | (((exponent + 15) << 10) + roundTiesToEven((magnitude / 2 ** exponent - 1) * 1024))
}

const encodeBf16Bits = (value: number, float32Bits: number): number =>
  Number.isNaN(value) ? BF16_NAN : (float32Bits + 0x7fff + ((float32Bits >>> 16) & 1)) >>> 16

const encodeWith =
  (encodeBits: (value: number, float32Bits: number) => number) =>
  (values: Float32Array): Uint16Array<ArrayBuffer> => {
    const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
    return Uint16Array.from(bits, (b, i) => encodeBits(values[i], b))
  }

/** Every F16 value by its bits: computing each anew would take longer than all the rest of loading a checkpoint. */
const F16_VALUES = Float32Array.from({ length: 65536 }, (_, bits) => decodeF16Bits(bits))

// Loops, since `from` would gather all values in a list first, several times the memory of the result.
export const decodeF16 = (halves: Uint16Array): Float32Array<ArrayBuffer> => {
  const values = new Float32Array(halves.length)
  for (let i = 0; i < halves.length; i++) values[i] = F16_VALUES[halves[i]!]!
  return values
}
export const encodeF16 = encodeWith(encodeF16Bits)

export const decodeBf16 = (halves: Uint16Array): Float32Array<ArrayBuffer> => {
  const bits = new Uint32Array(halves.length)
  for (let i = 0; i < halves.length; i++) bits[i] = halves[i]! << 16
  return new Float32Array(bits.buffer)
}
export const encodeBf16 = encodeWith(encodeBf16Bits)
