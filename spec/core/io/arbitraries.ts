import fc from 'fast-check'
import type { HostDtype, HostTensor, HostValues } from '../../../core/io/hostTensor.ts'

const float32Of = (options: fc.FloatConstraints) => fc.float({ noNaN: true, ...options })

/** A value of each dtype, boundary values included, and the array that holds them; 16-bit floats give any float32. */
const ELEMENTS: Record<HostDtype, [fc.Arbitrary<number>, (values: number[]) => HostValues]> = {
  F64: [fc.double(), v => Float64Array.from(v)],
  F32: [fc.float(), v => Float32Array.from(v)],
  F16: [float32Of({ max: 65504, min: -65504 }), v => Float32Array.from(v)],
  BF16: [float32Of({ max: 2 ** 127, min: -(2 ** 127) }), v => Float32Array.from(v)],
  I64: [fc.maxSafeInteger(), v => Float64Array.from(v)],
  U64: [fc.maxSafeNat(), v => Float64Array.from(v)],
  I32: [fc.integer(), v => Int32Array.from(v)],
  U32: [fc.nat(2 ** 32 - 1), v => Uint32Array.from(v)],
  I16: [fc.integer({ min: -32768, max: 32767 }), v => Int16Array.from(v)],
  U16: [fc.nat(65535), v => Uint16Array.from(v)],
  I8: [fc.integer({ min: -128, max: 127 }), v => Int8Array.from(v)],
  U8: [fc.nat(255), v => Uint8Array.from(v)],
  BOOL: [fc.nat(1), v => Uint8Array.from(v)],
}

const DTYPES = Object.keys(ELEMENTS) as HostDtype[]

/** Shapes of 0 to 4 axes, scalars and empty tensors included. */
const shape = fc.array(fc.nat(4), { maxLength: 4 })

export const hostTensor: fc.Arbitrary<HostTensor> = fc.tuple(fc.constantFrom(...DTYPES), shape).chain(([dtype, extents]) => {
  const length = extents.reduce((a, b) => a * b, 1)
  const [element, hold] = ELEMENTS[dtype]
  return fc.array(element, { minLength: length, maxLength: length }).map(v => ({ dtype, shape: extents, values: hold(v) }))
})

/** Names as checkpoints have them, and hostile ones: any text, and words JavaScript objects treat in their own way. */
const name = fc.oneof(
  fc.stringMatching(/^[a-z]{1,8}(\.[a-z0-9]{1,5}){0,3}$/),
  fc.string({ unit: 'binary', maxLength: 8 }),
  fc.constantFrom('__proto__', 'constructor', '7', '', '"', '\\', '\n'),
)

/** A record of tensors with own properties only, "__proto__" included. */
export const hostTensors: fc.Arbitrary<Record<string, HostTensor>> = fc
  .uniqueArray(fc.tuple(name, hostTensor), { maxLength: 6, selector: ([key]) => key })
  .map(entries => Object.fromEntries(entries.filter(([key]) => key !== '__metadata__')))

export const metadata: fc.Arbitrary<Record<string, string>> = fc.dictionary(name, fc.string({ unit: 'binary', maxLength: 12 }), {
  maxKeys: 3,
})
