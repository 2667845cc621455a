import { decodeBf16, decodeF16, encodeBf16, encodeF16 } from './halfFloat.ts'

export type HostValues = Float64Array | Float32Array | Int32Array | Uint32Array | Int16Array | Uint16Array | Int8Array | Uint8Array

/**
 * A tensor in plain host memory, as files hold it: what a loader hands to the tensor core, and takes from it.
 *
 * `dtype` is the type in the file; `values` is the JavaScript array it is held in (`valuesOf` in the table below):
 * F16 and BF16 are held as float32, I64 and U64 as numbers. Row-major; `shape` [] is a scalar.
 */
export interface HostTensor {
  readonly dtype: HostDtype
  readonly shape: readonly number[]
  readonly values: HostValues
}

/** How one dtype lies in a file (little endian) and in memory. `decode` may throw a `RangeError` naming the value. */
interface Codec {
  readonly bytesPerElement: number
  /** The name of the typed array that holds the values. */
  readonly holder: string
  /** `raw` starts at offset 0 of a buffer of its own, which the result may keep. */
  readonly decode: (raw: Uint8Array<ArrayBuffer>) => HostValues
  readonly encode: (values: HostValues) => Uint8Array
}

const bytesOf = (values: ArrayBufferView): Uint8Array => new Uint8Array(values.buffer, values.byteOffset, values.byteLength)

const plain = (ArrayType: { new (buffer: ArrayBuffer): HostValues; readonly name: string; readonly BYTES_PER_ELEMENT: number }): Codec => ({
  bytesPerElement: ArrayType.BYTES_PER_ELEMENT,
  holder: ArrayType.name,
  decode: raw => new ArrayType(raw.buffer),
  encode: bytesOf,
})

const half = (
  name: string,
  decode: (halves: Uint16Array) => Float32Array,
  encode: (values: Float32Array) => Uint16Array<ArrayBuffer>,
): Codec => ({
  bytesPerElement: 2,
  holder: 'Float32Array',
  decode: raw => decode(new Uint16Array(raw.buffer)),
  encode: values => {
    const floats = values as Float32Array
    const halves = encode(floats)
    const lost = decode(halves).findIndex((v, i) => !Number.isFinite(v) && Number.isFinite(floats[i]))
    if (lost >= 0) throw new RangeError(`value ${floats[lost]} at index ${lost} is beyond the range of ${name}`)
    return bytesOf(halves)
  },
})

const wide = (ArrayType: BigInt64ArrayConstructor | BigUint64ArrayConstructor): Codec => ({
  bytesPerElement: 8,
  holder: 'Float64Array',
  decode: raw =>
    Float64Array.from(new ArrayType(raw.buffer) as ArrayLike<bigint>, (big, i) => {
      const value = Number(big)
      if (!Number.isSafeInteger(value)) throw new RangeError(`value ${big} at index ${i} is beyond 2^53 and no exact number`)
      return value
    }),
  encode: values => {
    const signed = ArrayType === BigInt64Array
    const bad = (values as Float64Array).findIndex(v => !Number.isSafeInteger(v) || (!signed && v < 0))
    if (bad >= 0)
      throw new RangeError(`value ${values[bad]} at index ${bad} is no ${signed ? '' : 'unsigned '}integer of magnitude below 2^53`)
    return bytesOf(ArrayType.from(Array.from(values, BigInt)))
  },
})

const requireZeroOrOne = (values: HostValues): Uint8Array => {
  const bytes = values as Uint8Array
  const bad = bytes.findIndex(v => v > 1)
  if (bad >= 0) throw new RangeError(`value ${bytes[bad]} at index ${bad} is neither 0 nor 1`)
  return bytes
}

const bool: Codec = {
  bytesPerElement: 1,
  holder: 'Uint8Array',
  decode: requireZeroOrOne,
  encode: requireZeroOrOne,
}

/** Every dtype this project reads and writes. */
export const CODECS = {
  F64: plain(Float64Array),
  F32: plain(Float32Array),
  F16: half('F16', decodeF16, encodeF16),
  BF16: half('BF16', decodeBf16, encodeBf16),
  I64: wide(BigInt64Array),
  U64: wide(BigUint64Array),
  I32: plain(Int32Array),
  U32: plain(Uint32Array),
  I16: plain(Int16Array),
  U16: plain(Uint16Array),
  I8: plain(Int8Array),
  U8: plain(Uint8Array),
  BOOL: bool,
} as const satisfies Record<string, Codec>

export type HostDtype = keyof typeof CODECS

export const isHostDtype = (name: unknown): name is HostDtype => typeof name === 'string' && Object.hasOwn(CODECS, name)

/**
 * The number of elements of a shape.
 * @throws RangeError when an extent is not a whole number >= 0 or the product is beyond 2^53
 */
export const elementCount = (shape: readonly number[]): number => {
  let count = 1
  for (const extent of shape) {
    if (!Number.isSafeInteger(extent) || extent < 0) throw new RangeError(`extent ${extent} is not a whole number >= 0`)
    count *= extent
    if (!Number.isSafeInteger(count)) throw new RangeError('the number of elements is beyond 2^53')
  }
  return count
}
