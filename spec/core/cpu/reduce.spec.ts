import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createHeap } from '../../../core/backends/cpu/heap.ts'
import { max, sum } from '../../../core/backends/cpu/wasm/reduce.ts'
import { runs } from '../../support/replay.ts'
import { difference, make, runKernel, size, values } from './arrays.ts'

const heap = createHeap({ maximumPages: 2048 })

const definition = (
  data: Float32Array,
  shape: readonly number[],
  axes: readonly number[],
  combine: (a: number, b: number) => number,
  start: number,
) => {
  const kept = shape.map((n, axis) => (axes.includes(axis) ? 1 : n))
  const output = new Float64Array(size(kept)).fill(start)
  data.forEach((value, flat) => {
    let rest = flat
    let index = 0
    let step = 1
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      if (!axes.includes(axis)) index += (rest % shape[axis]!) * step
      step *= kept[axis]!
      rest = Math.floor(rest / shape[axis]!)
    }
    output[index] = combine(output[index]!, value)
  })
  return { output, kept }
}

const check = (shape: readonly number[], axes: readonly number[], data = values(size(shape), 1)) => {
  const inputs = [{ shape, data }]
  const sums = definition(data, shape, axes, (a, b) => a + b, 0)
  const largest = definition(data, shape, axes, Math.max, -Infinity)
  const actual = {
    sum: runKernel(heap, sum, { inputs, shape: sums.kept, attributes: { axes } })!,
    max: runKernel(heap, max, { inputs, shape: largest.kept, attributes: { axes } })!,
  }
  // The scale of a sum's rounding error is the sum of magnitudes, here about 2 per element.
  const terms = size(shape) / size(sums.kept)
  return { sum: difference(actual.sum, sums.output) / Math.sqrt(terms), max: difference(actual.max, largest.output) }
}

describe('sum and max', () => {
  it('should equal the definition for random shapes and axes', () => {
    const axis = fc.tuple(fc.integer({ min: 1, max: 6 }), fc.boolean())
    fc.assert(
      fc.property(fc.array(axis, { maxLength: 5 }), axes => {
        const shape = axes.map(([n]) => n)
        const error = check(
          shape,
          axes.flatMap(([, reduced], i) => (reduced ? [i] : [])),
        )
        expect(error.sum).toBeLessThan(1e-6)
        expect(error.max).toBe(0)
      }),
      { numRuns: runs(300) },
    )
  })

  it.each([
    [[4099], [0]],
    [[3, 1037], [1]],
    [[300, 37], [0]],
    [
      [2, 5, 17, 19],
      [0, 2, 3],
    ],
    [[2, 300, 70], [1]],
    [
      [3, 4, 5, 6, 7],
      [0, 2, 4],
    ],
  ])('should equal the definition over blocks, shape %j axes %j', (shape, axes) => {
    const error = check(shape, axes)
    expect(error.sum).toBeLessThan(1e-6)
    expect(error.max).toBe(0)
  })

  it('should add a million numbers of one sign to 2e-7, along rows and down columns', () => {
    const n = 1_000_000
    const data = values(n, 1).map(v => 1 + Math.abs(v))
    const truth = data.reduce((total, v) => total + v, 0)
    const rows = runKernel(heap, sum, { inputs: [{ shape: [n], data }], shape: [1], attributes: { axes: [0] } })!
    const columns = runKernel(heap, sum, { inputs: [{ shape: [n / 4, 4], data }], shape: [1, 4], attributes: { axes: [0] } })!
    expect(Math.abs(rows[0]! / truth - 1)).toBeLessThan(2e-7)
    expect(Math.abs(columns.reduce((total, v) => total + v, 0) / truth - 1)).toBeLessThan(1e-6)
  })

  it('should keep infinities and NaN', () => {
    const data = values(3000, 1)
    data[5] = Infinity
    const run = (kernel: typeof sum) =>
      runKernel(heap, kernel, { inputs: [{ shape: [3000], data }], shape: [1], attributes: { axes: [0] } })![0]
    expect([run(sum), run(max)]).toEqual([Infinity, Infinity])
    data[2999] = NaN
    expect([run(sum), run(max)]).toEqual([NaN, NaN])
    expect(run(max)).toBeNaN()
  })

  it('should decline empty arrays and integers', () => {
    const a = make(heap, [4])
    expect(sum(heap, [{ ...a, shape: [0] }], a, { axes: [0] })).toBe(false)
    expect(max(heap, [{ ...a, dtype: 'int32' }], a, { axes: [0] })).toBe(false)
  })
})
