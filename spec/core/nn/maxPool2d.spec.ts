import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { grad, type Tensor, tensor, useBackend } from '../../../core/index.ts'
import { maxPool2d } from '../../../core/nn/index.ts'
import { runs } from '../../support/replay.ts'

beforeAll(() => useBackend('reference'))

describe('maxPool2d', () => {
  it('should be the largest pixel of each window, by its definition, and its gradient should fall on that pixel', () => {
    const sizes = fc.record({
      height: fc.integer({ min: 3, max: 7 }),
      width: fc.integer({ min: 3, max: 7 }),
      size: fc.integer({ min: 1, max: 3 }),
      stride: fc.integer({ min: 1, max: 3 }),
      padding: fc.integer({ min: 0, max: 1 }),
      seed: fc.integer({ min: 1, max: 1000 }),
    })
    fc.assert(
      fc.property(sizes, ({ height, width, size, stride, padding: wanted, seed }) => {
        const padding = Math.min(wanted, Math.floor(size / 2))
        // Distinct values, all negative, so that padding with zeros would win.
        const values = Array.from({ length: 2 * height * width }, (_, i) => -1 - ((i * 7919 + seed) % 1009))
        const counts = values.map(() => 0)
        const expected: number[] = []
        for (let c = 0; c < 2; c++) {
          for (let y = -padding; y + size <= height + padding; y += stride) {
            for (let x = -padding; x + size <= width + padding; x += stride) {
              let best = -1
              for (let row = Math.max(y, 0); row < Math.min(y + size, height); row++) {
                for (let column = Math.max(x, 0); column < Math.min(x + size, width); column++) {
                  const at = (c * height + row) * width + column
                  if (best < 0 || values[at]! > values[best]!) best = at
                }
              }
              expected.push(values[best]!)
              counts[best]!++
            }
          }
        }
        const x = tensor(values, [1, 2, height, width])
        const pool = (input: Tensor): Tensor => maxPool2d(input, { size, stride, padding })
        expect(Array.from(pool(x).dataSync())).toEqual(expected)
        expect(Array.from(grad((input: Tensor) => pool(input).sum())(x).dataSync())).toEqual(counts)
      }),
      { numRuns: runs(60) },
    )
  })

  it('should refuse windows that do not fit and padding beyond half a window', () => {
    expect(() => maxPool2d(tensor([1, 2, 3, 4], [1, 1, 2, 2]), { size: 3 })).toThrow('windows of 3 do not fit into [1,1,2,2]')
    expect(() => maxPool2d(tensor([1], [1, 1, 1, 1]), { size: 1, padding: 1 })).toThrow('padding 1 is not within half the window of 1')
    expect(() => maxPool2d(tensor([1]), { size: 1 })).toThrow('got rank 1')
  })

  it.each([
    ['size', { size: 0 }, '1 to 2147483647, got 0'],
    ['size', { size: [2] }, '1 to 2147483647, got [2]'],
    ['stride', { size: 2, stride: 1.5 }, '1 to 2147483647, got 1.5'],
    ['stride', { size: 2, stride: 0 }, '1 to 2147483647, got 0'],
    ['padding', { size: 2, padding: 0.5 }, '0 to 2147483647, got 0.5'],
    ['padding', { size: 2, padding: -1 }, '0 to 2147483647, got -1'],
  ])('should refuse a %s that is no whole number in range: %j', (option, options, range) => {
    const message = `maxPool2d: ${option} must be a whole number from ${range}; give one such number`
    expect(() => maxPool2d(tensor([1, 2, 3, 4], [1, 1, 2, 2]), options as never)).toThrow(message)
  })
})
