import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { downsampleConvFir, downsampleFir, upsampleConvFir, upsampleFir } from '../../algorithms/models/firResample.ts'
import { type Tensor, tensor, tidy, useBackend } from '../../core/index.ts'
import { normal } from '../../core/random/distributions.ts'
import { foldIn, key } from '../../core/random/key.ts'
import { expectAllNear } from '../support/numbers.ts'
import { runs } from '../support/replay.ts'

beforeAll(() => useBackend('reference'))

type Plane = readonly (readonly number[])[]

const at = (plane: Plane, y: number, x: number): number => plane[y]?.[x] ?? 0

/** A plane of the given size whose pixel (y, x) is `value(y, x)`. */
const planeOf = (height: number, width: number, value: (y: number, x: number) => number): Plane =>
  Array.from({ length: height }, (_, y) => Array.from({ length: width }, (_, x) => value(y, x)))

/** sum_ij kernel[i][j] plane[y + i - before][x + j - before]. */
const correlate = (plane: Plane, kernel: Plane, { before, size }: { before: number; size: readonly [number, number] }): Plane =>
  planeOf(...size, (y, x) =>
    kernel.reduce((sum, row, i) => sum + row.reduce((part, weight, j) => part + weight * at(plane, y + i - before, x + j - before), 0), 0),
  )

/** The filter as upfirdn2d defines it: outer product of the taps, scaled to sum `gain`, flipped because it convolves. */
const kernelOf = (taps: readonly number[], gain: number): Plane => {
  const total = taps.reduce((a, b) => a + b, 0)
  const flipped = [...taps].reverse()
  return planeOf(taps.length, taps.length, (i, j) => (gain * flipped[i]! * flipped[j]!) / total ** 2)
}

const stuffed = (plane: Plane): Plane =>
  planeOf(2 * plane.length, 2 * plane[0]!.length, (y, x) => (y % 2 === 0 && x % 2 === 0 ? plane[y / 2]![x / 2]! : 0))

const everySecond = (plane: Plane): Plane => planeOf(plane.length / 2, plane[0]!.length / 2, (y, x) => plane[2 * y]![2 * x]!)

const cases = fc.record({
  seed: fc.nat(1e6),
  taps: fc.constantFrom([1, 1], [1, 3, 3, 1], [1, 2, 3, 4], [0.5, -1, 4, 2, 0, 1], [2, 1]),
  height: fc.constantFrom(2, 4, 6),
  width: fc.constantFrom(2, 6, 8),
})

const image = (seed: number, height: number, width: number): Tensor =>
  tensor(normal(foldIn(key(seed), 'x'), 2 * 2 * height * width), [2, 2, height, width])

/** Every plane of x through `f`, row-major. */
const perPlane = (x: Tensor, f: (plane: Plane) => Plane): number[] => {
  const [batch, channels, height, width] = x.shape as [number, number, number, number]
  const values = x.dataSync()
  return Array.from({ length: batch * channels }, (_, k) =>
    f(planeOf(height, width, (y, column) => values[(k * height + y) * width + column]!)).flat(),
  ).flat()
}

describe('resampling by a filter', () => {
  it('should be upfirdn2d as StyleGAN2 defines it, downwards and upwards, for any taps and sides', () => {
    fc.assert(
      fc.property(cases, ({ seed, taps, height, width }) =>
        tidy(() => {
          const x = image(seed, height, width)
          const extra = taps.length - 2
          const down = perPlane(x, plane =>
            everySecond(correlate(plane, kernelOf(taps, 1), { before: Math.floor((extra + 1) / 2), size: [height, width] })),
          )
          const up = perPlane(x, plane =>
            correlate(stuffed(plane), kernelOf(taps, 4), { before: Math.floor((extra + 1) / 2) + 1, size: [2 * height, 2 * width] }),
          )
          expect(downsampleFir(x, taps).shape).toEqual([2, 2, height / 2, width / 2])
          expectAllNear(downsampleFir(x, taps).dataSync(), down, 1e-12)
          expect(upsampleFir(x, taps).shape).toEqual([2, 2, 2 * height, 2 * width])
          expectAllNear(upsampleFir(x, taps).dataSync(), up, 1e-12)
        }),
      ),
      { numRuns: runs(40) },
    )
  })

  it('should be filter and convolution in one, padded once, with the bias added last', () => {
    fc.assert(
      fc.property(cases, ({ seed, taps, height, width }) =>
        tidy(() => {
          fc.pre(taps.length >= 4)
          const x = image(seed, height, width).slice([0, 0, 0, 0], [1, 1, height, width])
          const weights = Array.from(normal(foldIn(key(seed), 'w'), 9))
          const weight = tensor(weights, [1, 1, 3, 3])
          const w = planeOf(3, 3, (i, j) => weights[3 * i + j]!)
          const n = taps.length
          // The filter's result is kept wide enough for the convolution: two pixels more than the image.
          const down = perPlane(x, plane => {
            const wide = correlate(plane, kernelOf(taps, 1), { before: Math.floor((n + 1) / 2), size: [height + 2, width + 2] })
            return everySecond(correlate(wide, w, { before: 0, size: [height, width] }))
          })
          const up = perPlane(x, plane => {
            const wide = correlate(stuffed(plane), w, { before: 2, size: [2 * height + 1, 2 * width + 1] })
            const before = Math.floor((n - 3) / 2) + 1
            return correlate(wide, kernelOf(taps, 4), { before, size: [2 * height, 2 * width] })
          })
          const bias = tensor([0.5])
          expectAllNear(
            downsampleConvFir(x, weight, { taps, bias }).dataSync(),
            down.map(value => value + 0.5),
            1e-12,
          )
          expectAllNear(
            upsampleConvFir(x, weight, { taps, bias }).dataSync(),
            up.map(value => value + 0.5),
            1e-12,
          )
        }),
      ),
      { numRuns: runs(40) },
    )
  })

  it('should leave a flat image flat away from the border', () => {
    const flat = tensor(new Float64Array(256).fill(3), [1, 1, 16, 16])
    for (const resample of [downsampleFir, upsampleFir]) {
      const side = resample(flat, [1, 3, 3, 1]).shape[2]!
      const inner = resample(flat, [1, 3, 3, 1])
        .slice([0, 0, 2, 2], [1, 1, side - 4, side - 4])
        .dataSync()
      expectAllNear(inner, new Float64Array(inner.length).fill(3), 1e-12)
    }
  })

  it('should refuse a filter of one tap', () => {
    expect(() => upsampleFir(image(0, 2, 2), [1])).toThrow('a filter needs two or more taps, got [1]')
  })
})
