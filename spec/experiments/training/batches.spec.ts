import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { batchIds } from '../../../experiments/training/batches.ts'

const sizes = fc.record({
  count: fc.integer({ min: 1, max: 40 }),
  size: fc.integer({ min: 1, max: 50 }),
  seed: fc.integer({ min: 0, max: 1000 }),
})

/** The ids of the first `steps` batches, one after the other. */
const sequence = (count: number, size: number, seed: number, steps: number): number[] => {
  const ids = Array.from({ length: count }, (_, i) => 100 + i)
  return Array.from({ length: steps }, (_, step) => batchIds(ids, { seed, step, size })).flat()
}

describe('batchIds', () => {
  it('should visit every id once per epoch, also where a batch spans two of them', () => {
    fc.assert(
      fc.property(sizes, ({ count, size, seed }) => {
        const steps = Math.ceil((3 * count) / size)
        const visited = sequence(count, size, seed, steps)
        expect(visited.length).toBe(steps * size)
        const all = Array.from({ length: count }, (_, i) => 100 + i)
        for (let epoch = 0; epoch < 3; epoch++) {
          expect(visited.slice(epoch * count, (epoch + 1) * count).sort((a, b) => a - b)).toEqual(all)
        }
      }),
    )
  })

  it('should depend on seed and step alone, not on the batches asked for before', () => {
    fc.assert(
      fc.property(sizes, fc.integer({ min: 0, max: 100 }), ({ count, size, seed }, step) => {
        const ids = Array.from({ length: count }, (_, i) => i)
        const alone = batchIds(ids, { seed, step, size })
        batchIds(ids, { seed: seed + 1, step: step + 1, size })
        expect(batchIds(ids, { seed, step, size })).toEqual(alone)
      }),
    )
  })

  it('should take another order in every epoch and for every seed', () => {
    const orders = [0, 1].flatMap(seed => [0, 1].map(step => String(batchIds([...Array(60).keys()], { seed, step, size: 60 }))))
    expect(new Set(orders).size).toBe(4)
  })
})
