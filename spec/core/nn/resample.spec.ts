import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { type Tensor, tensor, useBackend, vjp } from '../../../core/index.ts'
import { adaptiveAvgPool2d, layerNorm, resizeBicubic, resizeBilinear, scope } from '../../../core/nn/index.ts'
import { separableResample, sideMap } from '../../../core/nn/separableResample.ts'
import { normal } from '../../../core/random/distributions.ts'
import { key } from '../../../core/random/key.ts'
import { dot, expectAllNear, expectNear } from '../../support/numbers.ts'
import { runs } from '../../support/replay.ts'

beforeAll(() => useBackend('reference'))

const random = (seed: number, ...shape: number[]): Tensor =>
  tensor(
    normal(
      key(seed),
      shape.reduce((a, b) => a * b, 1),
    ),
    shape,
  )

const sides = fc.record({
  height: fc.integer({ min: 1, max: 6 }),
  width: fc.integer({ min: 1, max: 6 }),
  newHeight: fc.integer({ min: 1, max: 9 }),
  newWidth: fc.integer({ min: 1, max: 9 }),
  seed: fc.nat(1000),
})

/** Weights of the pixels at -1, 0, 1, 2 for a place t in [0, 1) after 0: the kernel for a = -3/4 multiplied out. */
const bicubicWeights = (t: number): number[] => [
  -0.75 * t + 1.5 * t ** 2 - 0.75 * t ** 3,
  1 - 2.25 * t ** 2 + 1.25 * t ** 3,
  0.75 * t + 1.5 * t ** 2 - 1.25 * t ** 3,
  -0.75 * t ** 2 + 0.75 * t ** 3,
]

describe('resizeBicubic', () => {
  it('should enlarge a row by two with the weights of PyTorch, which are exact in binary', () => {
    const [far, near, next, last] = [-0.10546875, 0.87890625, 0.26171875, -0.03515625]
    const x = [3, -1, 4, 7]
    const at = (i: number): number => x[Math.min(Math.max(i, 0), 3)]!
    // Even outputs lie a quarter before their pixel, odd ones a quarter after it.
    const expected = [0, 1, 2, 3].flatMap(i => [
      far * at(i + 1) + near * at(i) + next * at(i - 1) + last * at(i - 2),
      far * at(i - 1) + near * at(i) + next * at(i + 1) + last * at(i + 2),
    ])
    expectAllNear(resizeBicubic(tensor(x, [1, 1, 1, 4]), [1, 8]).dataSync(), expected, 1e-14)
  })

  it('should be the weighted sum of the sixteen pixels around each place, for any two sizes', () => {
    fc.assert(
      fc.property(sides, ({ height, width, newHeight, newWidth, seed }) => {
        const x = random(seed, 2, 1, height, width)
        const values = x.dataSync()
        const within = (i: number, length: number): number => Math.min(Math.max(i, 0), length - 1)
        const expected: number[] = []
        for (let b = 0; b < 2; b++) {
          for (let i = 0; i < newHeight; i++) {
            for (let j = 0; j < newWidth; j++) {
              const [y, z] = [((i + 0.5) * height) / newHeight - 0.5, ((j + 0.5) * width) / newWidth - 0.5]
              const [top, left] = [Math.floor(y), Math.floor(z)]
              let total = 0
              bicubicWeights(y - top).forEach((down, m) => {
                bicubicWeights(z - left).forEach((right, n) => {
                  total += down * right * values[(b * height + within(top - 1 + m, height)) * width + within(left - 1 + n, width)]!
                })
              })
              expected.push(total)
            }
          }
        }
        expectAllNear(resizeBicubic(x, [newHeight, newWidth]).dataSync(), expected, 1e-12)
      }),
      { numRuns: runs(40) },
    )
  })

  it('should have a gradient that is its transpose', () => {
    const x = random(1, 1, 2, 4, 3)
    const u = random(2, 1, 2, 7, 8)
    const { value, pullback } = vjp((input: Tensor) => resizeBicubic(input, [7, 8]), x)
    expectNear(dot(value.dataSync(), u.dataSync()), dot(x.dataSync(), pullback(u).dataSync()), 1e-11)
  })
})

describe('adaptiveAvgPool2d', () => {
  it('should be the mean of each part by its definition, for any two sizes', () => {
    fc.assert(
      fc.property(sides, ({ height, width, newHeight, newWidth, seed }) => {
        const x = random(seed, 1, 2, height, width)
        const values = x.dataSync()
        const expected: number[] = []
        for (let c = 0; c < 2; c++) {
          for (let i = 0; i < newHeight; i++) {
            for (let j = 0; j < newWidth; j++) {
              let [total, count] = [0, 0]
              for (let row = 0; row < height; row++) {
                for (let column = 0; column < width; column++) {
                  // A pixel belongs to every part that it overlaps.
                  const inside = (p: number, part: number, length: number, parts: number): boolean =>
                    (p + 1) * parts > part * length && p * parts < (part + 1) * length
                  if (!inside(row, i, height, newHeight) || !inside(column, j, width, newWidth)) continue
                  total += values[(c * height + row) * width + column]!
                  count++
                }
              }
              expected.push(total / count)
            }
          }
        }
        expectAllNear(adaptiveAvgPool2d(x, [newHeight, newWidth]).dataSync(), expected, 1e-12)
      }),
      { numRuns: runs(40) },
    )
  })
})

describe('separableResample', () => {
  it.each([0, -2, 2.5, [2]])('should refuse a new side of %j', side => {
    const message = `separableResample: a new side must be a whole number from 1 to 2147483647, got ${JSON.stringify(side)}; give one such number`
    for (const resize of [adaptiveAvgPool2d, resizeBicubic, resizeBilinear])
      expect(() => resize(random(1, 1, 1, 2, 3), [side as never, 2])).toThrow(message)
  })

  it('should refuse images of other sides than its maps', () => {
    const identity = sideMap(2, 2, (i, add) => add(i, 1))
    expect(() => separableResample(random(1, 1, 1, 2, 3), identity, identity)).toThrow('x must be [batch,channels,2,2], got [1,1,2,3]')
  })
})

describe('layerNorm', () => {
  it('should centre and scale each row by its own mean and biased deviation', () => {
    const layer = scope({ weight: tensor([2, 3, 1]), bias: tensor([0, 1, -1]) })
    const y = layerNorm(tensor([1, 2, 6, -4, 0, 4], [2, 1, 3]), layer, { epsilon: 0.5 })
    expect(y.shape).toEqual([2, 1, 3])
    const [a, b] = [Math.sqrt(14 / 3 + 0.5), Math.sqrt(32 / 3 + 0.5)]
    expectAllNear(y.dataSync(), [-4 / a, 1 - 3 / a, -1 + 3 / a, -8 / b, 1, -1 + 4 / b], 1e-12)
  })
})
