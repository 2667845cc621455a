import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createHeap } from '../../../core/backends/cpu/heap.ts'
import { matmul } from '../../../core/backends/cpu/matmul.ts'
import { runs } from '../../support/replay.ts'

const heap = createHeap()

const array = (shape: readonly number[], values?: Float32Array) => {
  const length = shape.reduce((total, size) => total * size, 1)
  const pointer = heap.allocate(4 * length)
  heap.f32(pointer, length).set(values ?? new Float32Array(length).fill(Number.NaN))
  return { pointer, shape, dtype: 'float32' as const }
}

/** Fixed pseudo-random values in [-1, 1). */
const noise = (length: number, seed: number) => {
  let state = seed | 1
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    return state / 2 ** 31
  })
}

interface Case {
  readonly batch: readonly number[]
  readonly m: number
  readonly n: number
  readonly k: number
  readonly transposeA: boolean
  readonly transposeB: boolean
}

const run = ({ batch, m, n, k, transposeA, transposeB }: Case) => {
  const count = batch.reduce((total, size) => total * size, 1)
  const a = noise(count * m * k, 17)
  const b = noise(count * k * n, 29)
  const inputs = [array([...batch, ...(transposeA ? [k, m] : [m, k])], a), array([...batch, ...(transposeB ? [n, k] : [k, n])], b)]
  const output = array([...batch, m, n])
  expect(matmul(heap, inputs, output, { transposeA, transposeB })).toBe(true)
  const actual = heap.f32(output.pointer, count * m * n).slice()
  for (const { pointer } of [...inputs, output]) heap.free(pointer)
  let worst = 0
  for (let g = 0; g < count; g++) {
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        let sum = 0
        for (let p = 0; p < k; p++)
          sum += a[g * m * k + (transposeA ? p * m + i : i * k + p)] * b[g * k * n + (transposeB ? j * k + p : p * n + j)]
        const error = Math.abs(actual[(g * m + i) * n + j] - sum)
        worst = Number.isNaN(error) ? Number.POSITIVE_INFINITY : Math.max(worst, error)
      }
    }
  }
  return { actual, worst }
}

describe('cpu matmul', () => {
  it('should equal the float64 definition for any small sizes, batches and transpositions', () => {
    const size = fc.integer({ min: 1, max: 21 })
    const batch = fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 2 })
    fc.assert(
      fc.property(fc.record({ batch, m: size, n: size, k: size, transposeA: fc.boolean(), transposeB: fc.boolean() }), c => {
        expect(run(c).worst).toBeLessThan(1e-5)
      }),
      { numRuns: runs(150) },
    )
  })

  it.each([
    [true, true],
    [true, false],
    [false, true],
    [false, false],
  ])('should equal the float64 definition across block borders (transposeA %s, transposeB %s)', (transposeA, transposeB) => {
    expect(run({ batch: [2], m: 131, n: 9, k: 515, transposeA, transposeB }).worst).toBeLessThan(1e-4)
    expect(run({ batch: [], m: 5, n: 1029, k: 3, transposeA, transposeB }).worst).toBeLessThan(1e-5)
  })

  it('should give the first rows the same bits whatever the number of rows', () => {
    const shape = { batch: [], n: 13, k: 300, transposeA: false, transposeB: false }
    expect(run({ ...shape, m: 150 }).actual.slice(0, 39)).toEqual(run({ ...shape, m: 3 }).actual)
  })

  it('should give zeros for an empty sum', () => {
    const output = array([2, 3])
    matmul(heap, [array([2, 0]), array([0, 3])], output, { transposeA: false, transposeB: false })
    expect([...heap.f32(output.pointer, 6)]).toEqual([0, 0, 0, 0, 0, 0])
  })
})
