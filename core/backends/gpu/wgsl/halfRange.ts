import { abs, input as view } from '../../../expr/expr.ts'
import type { Shape } from '../../../shape.ts'
import type { DeviceArray } from '../device.ts'
import { reduceViews } from '../reduce.ts'
import type { WgslDevice } from './wgslKernel.ts'

/**
 * Half precision has full accuracy from 2^-14 to 65504 only, and gradients of a sure classifier are far smaller. Operands are
 * therefore scaled on their way to it, by the power of two that brings the largest element of a set to between 2^14 and 2^15; the
 * sums are scaled back in float32. Elements below 2^-28 of their set's largest lose accuracy.
 */
export interface HalfRange {
  /** Number of the input that the operand is read from. */
  readonly input: number
  /** One set per index of `kept`: `length` elements `step` apart, from the place that the strides give. */
  readonly kept: Shape
  readonly strides: readonly number[]
  readonly length: number
  readonly step: number
  /** Expression in `batch` and `m` (left) or `n` (right): the set that a row or column belongs to. */
  readonly set: string
}

/** One set of a whole array. */
export const wholeRange = (input: number, length: number): HalfRange => ({ input, kept: [], strides: [], length, step: 1, set: '0u' })

/** The largest size in each set. */
export const largestOf = (device: WgslDevice, range: HalfRange, inputs: readonly DeviceArray[]): DeviceArray | undefined => {
  const { input, kept, strides, length, step } = range
  return reduceViews(device, { combine: 'max', kept, length, views: [{ values: inputs[input]!, strides, step }], expr: abs(view(0)) })
}

/** `two_to(e)` for -126 <= e <= 127, by its bits. */
export const powerText = 'fn two_to(e : i32) -> f32 { return bitcast<f32>(u32(e + 127) << 23u); }'

/** `scale_<name>(batch, index) -> f32`, a power of two by the largest sizes at `binding`, and its inverse `unscale_<name>`. */
export const scaleText = (name: 'left' | 'right', set: string, binding: number): string => {
  const index = name === 'left' ? 'm' : 'n'
  const parameters = `(batch : u32, ${index} : u32)`
  return `fn power_${name}${parameters} -> i32 { return 141 - max(i32((bitcast<u32>(x${binding}[${set}]) >> 23u) & 255u), 27); }
fn scale_${name}${parameters} -> f32 { return two_to(power_${name}(batch, ${index})); }
fn unscale_${name}${parameters} -> f32 { return two_to(-power_${name}(batch, ${index})); }`
}
