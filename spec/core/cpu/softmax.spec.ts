import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createHeap } from '../../../core/backends/cpu/heap.ts'
import { softmax, softmaxInputGrad } from '../../../core/backends/cpu/wasm/softmax.ts'
import { runs } from '../../support/replay.ts'
import { difference, runKernel, values } from './arrays.ts'

const heap = createHeap({ maximumPages: 2048 })

const byRows = (n: number, arrays: readonly Float32Array[], row: (...rows: number[][]) => number[]): number[] =>
  Array.from({ length: arrays[0]!.length / n }, (_, r) => row(...arrays.map(a => [...a.slice(r * n, (r + 1) * n)]))).flat()

const softmaxRow = (x: readonly number[]): number[] => {
  const peak = Math.max(...x)
  const e = x.map(v => Math.exp(v - peak))
  const total = e.reduce((a, b) => a + b, 0)
  return e.map(v => v / total)
}

describe('softmax', () => {
  it('should equal the definition and its gradient for random rows', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 7 }), fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 30 }), (rows, n, scale) => {
        const shape = [rows, n]
        const x = values(rows * n, 1).map(v => v * scale)
        const dy = values(rows * n, 2)
        const y = runKernel(heap, softmax, { inputs: [{ shape, data: x }], shape, attributes: undefined })!
        expect(difference(y, byRows(n, [x], softmaxRow))).toBeLessThan(1e-6)
        const dx = runKernel(heap, softmaxInputGrad, {
          inputs: [
            { shape, data: y },
            { shape, data: dy },
          ],
          shape,
          attributes: undefined,
        })!
        const truth = byRows(n, [y, dy], (p, d) => {
          const mean = p!.reduce((total, v, i) => total + v * d![i]!, 0)
          return p!.map((v, i) => v * (d![i]! - mean))
        })
        expect(difference(dx, truth)).toBeLessThan(1e-6)
      }),
      { numRuns: runs(200) },
    )
  })

  it('should stay finite for large logits, give 0 for -Infinity, and keep a NaN to its row', () => {
    const data = Float32Array.of(1e30, -1e30, 1e30, 0, -Infinity, 0, 1, NaN, 2)
    const y = runKernel(heap, softmax, { inputs: [{ shape: [3, 3], data }], shape: [3, 3], attributes: undefined })!
    expect([...y]).toEqual([0.5, 0, 0.5, 0.5, 0, 0.5, NaN, NaN, NaN])
  })
})
