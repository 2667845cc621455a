import { input } from '../../../expr/expr.ts'
import type { CpuArray, CpuKernel } from '../kernel.ts'
import { clearBytes } from './bulk.ts'
import { elementwise } from './elementwise.ts'
import { stridedCopy } from './stridedCopy.ts'

/** Strides of a contiguous row-major array, in elements. */
const stridesOf = (shape: readonly number[]): number[] => {
  const strides = shape.map(() => 1)
  for (let axis = shape.length - 2; axis >= 0; axis--) strides[axis] = strides[axis + 1]! * shape[axis + 1]!
  return strides
}

/** Byte address of the element at a position. */
const at = (pointer: number, strides: readonly number[], position: readonly number[]): number =>
  pointer + 4 * position.reduce((offset, index, axis) => offset + index * strides[axis]!, 0)

/** Axis i of the output is axis axes[i] of the input. */
export const permute: CpuKernel<{ readonly axes: readonly number[] }> = (heap, [x], output, { axes }) => {
  const strides = stridesOf(x!.shape)
  stridedCopy(
    heap,
    { pointer: x!.pointer, strides: axes.map(axis => strides[axis]!) },
    { pointer: output.pointer, strides: stridesOf(output.shape) },
    output.shape,
  )
  return true
}

const identity = { expr: input(0), params: [] }

/** Repeats the input along its axes of size 1 (and missing leading ones) to `shape`, which is the output's. */
export const broadcastTo: CpuKernel<{ readonly shape: readonly number[] }> = (heap, [x], output) => {
  // The identity moves whole vectors without looking at them, so integers may pass as floats.
  const asFloat = (array: CpuArray): CpuArray => (array.dtype === 'float32' ? array : { ...array, dtype: 'float32' })
  return elementwise(heap, [asFloat(x!)], asFloat(output), identity)
}

/** The box of the input that begins at `starts` and has the given sizes. */
export const slice: CpuKernel<{ readonly starts: readonly number[]; readonly sizes: readonly number[] }> = (
  heap,
  [x],
  output,
  { starts, sizes },
) => {
  const strides = stridesOf(x!.shape)
  stridedCopy(heap, { pointer: at(x!.pointer, strides, starts), strides }, { pointer: output.pointer, strides: stridesOf(sizes) }, sizes)
  return true
}

/** Joins n inputs along an axis. */
export const concat: CpuKernel<{ readonly axis: number }> = (heap, inputs, output, { axis }) => {
  const strides = stridesOf(output.shape)
  let { pointer } = output
  for (const x of inputs) {
    stridedCopy(heap, { pointer: x.pointer, strides: stridesOf(x.shape) }, { pointer, strides }, x.shape)
    pointer += 4 * x.shape[axis]! * strides[axis]!
  }
  return true
}

/** Surrounds the input with zeros: before[i] and after[i] elements along axis i. */
export const pad: CpuKernel<{ readonly before: readonly number[]; readonly after: readonly number[] }> = (
  heap,
  [x],
  output,
  { before },
) => {
  const strides = stridesOf(output.shape)
  const count = output.shape.reduce((product, n) => product * n, 1)
  clearBytes(heap, output.pointer, 4 * count)
  stridedCopy(
    heap,
    { pointer: x!.pointer, strides: stridesOf(x!.shape) },
    { pointer: at(output.pointer, strides, before), strides },
    x!.shape,
  )
  return true
}
