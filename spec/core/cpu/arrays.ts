import fc from 'fast-check'
import type { Heap } from '../../../core/backends/cpu/heap.ts'
import type { CpuArray, CpuKernel } from '../../../core/backends/cpu/kernel.ts'

export const size = (shape: readonly number[]): number => shape.reduce((product, n) => product * n, 1)

/** Repeatable values in about [-3, 3], different for each seed. */
export const values = (length: number, seed: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => 3 * Math.sin(12.9898 * (i + 1) + 78.233 * seed + 0.1 * i * seed))

export const make = (heap: Heap, shape: readonly number[], data?: Float32Array): CpuArray => {
  const pointer = heap.allocate(4 * size(shape))
  if (data) heap.f32(pointer, data.length).set(data)
  return { pointer, shape, dtype: 'float32' }
}

const guard = 12345
const guardLength = 16

/**
 * Runs a kernel on fresh arrays and returns its output, or undefined where it declines. The output starts as NaN, inputs are
 * followed by NaN as far as whole vectors reach, and a guard after the output must survive.
 */
export const runKernel = <A>(
  heap: Heap,
  kernel: CpuKernel<A>,
  o: { inputs: readonly { shape: readonly number[]; data: Float32Array }[]; shape: readonly number[]; attributes: A },
): Float32Array | undefined => {
  // A vector that starts inside an array may reach three elements past it.
  const padded = (n: number) => n + 3
  const inputs = o.inputs.map(({ shape, data }) => {
    const pointer = heap.allocate(4 * padded(data.length))
    heap.f32(pointer, padded(data.length)).fill(NaN).set(data)
    return { pointer, shape, dtype: 'float32' as const }
  })
  const n = size(o.shape)
  const pointer = heap.allocate(4 * (padded(n) + guardLength))
  heap.f32(pointer, padded(n)).fill(NaN)
  heap.f32(pointer + 4 * padded(n), guardLength).fill(guard)
  const covered = kernel(heap, inputs, { pointer, shape: o.shape, dtype: 'float32' }, o.attributes)
  const result = heap.f32(pointer, n).slice()
  if (heap.f32(pointer + 4 * padded(n), guardLength).some(x => x !== guard)) throw new Error('the kernel wrote past its output')
  inputs.forEach((input, k) => {
    if (heap.f32(input.pointer, o.inputs[k]!.data.length).some((x, i) => !Object.is(x, o.inputs[k]!.data[i])))
      throw new Error('the kernel changed an input')
  })
  for (const input of inputs) heap.free(input.pointer)
  heap.free(pointer)
  return covered ? result : undefined
}

/** The largest |actual - expected| / (1 + |expected|); NaN counts as equal to NaN only. */
export const difference = (actual: ArrayLike<number>, expected: ArrayLike<number>): number => {
  if (actual.length !== expected.length) return Infinity
  let worst = 0
  for (let i = 0; i < actual.length; i++) {
    const a = actual[i]!
    const b = Math.fround(expected[i]!)
    if (Object.is(a, b) || a === b) continue
    const d = Math.abs(a - b) / (1 + Math.abs(b))
    worst = d >= 0 ? Math.max(worst, d) : Infinity
  }
  return worst
}

export const shapes = (minLength: number, maxLength: number, largest = 9): fc.Arbitrary<number[]> =>
  fc.array(fc.integer({ min: 1, max: largest }), { minLength, maxLength })
