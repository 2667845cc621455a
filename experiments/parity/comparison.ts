import type { HostTensor } from '../../core/io/hostTensor.ts'

/** How closely a quantity must agree, relative to the largest value of the expected tensor. */
export const BOUNDS = {
  /** Values of a network, a schedule or a step, in float32 arithmetic. */
  output: 1e-4,
  /** Derivatives in float32 arithmetic. */
  gradient: 1e-3,
  /** Either, when both sides were computed in float64. */
  float64: 1e-9,
  /** Counts and ranks. */
  exact: 0,
} as const

export interface Comparison {
  readonly file: string
  readonly tensor: string
  readonly quantity: 'output' | 'gradient' | 'exact'
  readonly actual: { readonly shape: readonly number[]; readonly values: ArrayLike<number> }
  readonly expected: HostTensor
  /** Bound where both sides are float64. Default `BOUNDS.float64`. */
  readonly float64Bound?: number
}

export interface ParityRow {
  readonly file: string
  readonly tensor: string
  /** Largest absolute difference; Infinity when shapes differ or a value is not a number. */
  readonly maxAbsError: number
  /** The same divided by the largest absolute value expected (not divided when that is 0). */
  readonly relativeError: number
  readonly bound: number
  readonly ok: boolean
}

const largest = (values: ArrayLike<number>, at: (index: number) => number): number => {
  let top = 0
  for (let i = 0; i < values.length; i++) {
    const value = Math.abs(at(i))
    if (!(value <= top)) top = Number.isNaN(value) ? Infinity : value
  }
  return top
}

/** Judges one comparison; float64 backends are held to the float64 bound wherever the expected values are float64. */
export const judge = (
  { file, tensor, quantity, actual, expected, float64Bound = BOUNDS.float64 }: Comparison,
  floatType: 'float32' | 'float64',
): ParityRow => {
  const sameShape = actual.shape.join() === expected.shape.join()
  const maxAbsError = sameShape ? largest(expected.values, i => actual.values[i]! - expected.values[i]!) : Infinity
  const scale = largest(expected.values, i => expected.values[i]!)
  const relativeError = scale > 0 && Number.isFinite(scale) ? maxAbsError / scale : maxAbsError
  const wide = floatType === 'float64' && expected.dtype === 'F64' && quantity !== 'exact'
  const bound = wide ? float64Bound : BOUNDS[quantity]
  return { file, tensor, maxAbsError, relativeError, bound, ok: relativeError <= bound }
}
