import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createHeap } from '../../../core/backends/cpu/heap.ts'
import { broadcastTo, concat, pad, permute, slice } from '../../../core/backends/cpu/wasm/movement.ts'
import { runs } from '../../support/replay.ts'
import { difference, runKernel, shapes, size, values } from './arrays.ts'

const heap = createHeap({ maximumPages: 2048 })

/** The element of a row-major array at a position; an index outside the array gives 0. */
const element = (data: Float32Array, shape: readonly number[], position: readonly number[]): number => {
  const inside = shape.every((n, axis) => position[axis]! >= 0 && position[axis]! < n)
  return inside ? data[shape.reduce((flat, n, axis) => flat * n + position[axis]!, 0)]! : 0
}

/** The array whose element at each position is `at(position)`. */
const tabulate = (shape: readonly number[], at: (position: number[]) => number): Float32Array =>
  Float32Array.from({ length: size(shape) }, (_, flat) => {
    const position = shape.map(() => 0)
    let rest = flat
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      position[axis] = rest % shape[axis]!
      rest = Math.floor(rest / shape[axis]!)
    }
    return at(position)
  })

const array = (shape: readonly number[], seed = 1) => ({ shape, data: values(size(shape), seed) })

const checkPermute = (shape: readonly number[], axes: readonly number[]) => {
  const x = array(shape)
  const permuted = axes.map(axis => shape[axis]!)
  const actual = runKernel(heap, permute, { inputs: [x], shape: permuted, attributes: { axes } })!
  const truth = tabulate(permuted, position =>
    element(
      x.data,
      shape,
      shape.map((_, axis) => position[axes.indexOf(axis)]!),
    ),
  )
  expect(difference(actual, truth)).toBe(0)
}

describe('movement', () => {
  it('should permute any axes', () => {
    const arbitrary = shapes(0, 5, 7).chain(shape =>
      fc.tuple(fc.constant(shape), fc.shuffledSubarray([...shape.keys()], { minLength: shape.length })),
    )
    fc.assert(
      fc.property(arbitrary, ([shape, axes]) => checkPermute(shape, axes)),
      { numRuns: runs(300) },
    )
  })

  it.each([
    [
      [37, 41],
      [1, 0],
    ],
    [
      [3, 16, 8],
      [0, 2, 1],
    ],
    [
      [2, 5, 4, 8],
      [0, 2, 1, 3],
    ],
    [
      [2, 3, 4, 5, 6],
      [4, 0, 3, 1, 2],
    ],
    [
      [2, 3, 200],
      [1, 0, 2],
    ],
  ])('should permute %j by %j', (shape, axes) => checkPermute(shape, axes))

  it('should broadcast axes of size 1 and missing ones', () => {
    const arbitrary = fc.array(fc.tuple(fc.integer({ min: 1, max: 6 }), fc.boolean()), { maxLength: 5 })
    fc.assert(
      fc.property(arbitrary, fc.nat(2), (axes, drop) => {
        const shape = axes.map(([n]) => n)
        const own = axes.map(([n, keep], i) => (keep && i >= drop ? n : 1))
        const x = array(own)
        const dropped = { shape: own.slice(Math.min(drop, own.length)), data: x.data }
        const actual = runKernel(heap, broadcastTo, { inputs: [dropped], shape, attributes: { shape } })!
        const truth = tabulate(shape, position =>
          element(
            x.data,
            own,
            position.map((p, i) => (own[i] === 1 ? 0 : p)),
          ),
        )
        expect(difference(actual, truth)).toBe(0)
      }),
    )
  })

  it('should move the bits of integers unchanged', () => {
    const pointer = heap.allocate(16)
    const target = heap.allocate(64)
    const bits = [0x7fa00001, -1, 1, 0x7f800001]
    heap.i32(pointer, 4).set(bits)
    const [x, y] = [
      { pointer, shape: [4], dtype: 'int32' },
      { pointer: target, shape: [2, 4], dtype: 'int32' },
    ] as const
    expect(broadcastTo(heap, [x], y, { shape: [2, 4] })).toBe(true)
    expect([...heap.i32(target, 8)]).toEqual([...bits, ...bits])
  })

  it('should slice any box', () => {
    const axis = fc.tuple(fc.integer({ min: 1, max: 9 }), fc.nat(99), fc.nat(99))
    fc.assert(
      fc.property(fc.array(axis, { maxLength: 5 }), axes => {
        const shape = axes.map(([n]) => n)
        const starts = axes.map(([n, start]) => start % n)
        const sizes = axes.map(([n, start, length]) => 1 + (length % (n - (start % n))))
        const x = array(shape)
        const actual = runKernel(heap, slice, { inputs: [x], shape: sizes, attributes: { starts, sizes } })!
        const truth = tabulate(sizes, position =>
          element(
            x.data,
            shape,
            position.map((p, i) => p + starts[i]!),
          ),
        )
        expect(difference(actual, truth)).toBe(0)
      }),
      { numRuns: runs(200) },
    )
  })

  it('should join arrays along any axis', () => {
    const arbitrary = fc.tuple(shapes(1, 4, 6), fc.nat(9), fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 4 }))
    fc.assert(
      fc.property(arbitrary, ([base, pick, lengths]) => {
        const axis = pick % base.length
        const inputs = lengths.map((length, k) => array(base.with(axis, length), k + 1))
        const shape = base.with(
          axis,
          lengths.reduce((a, b) => a + b, 0),
        )
        const actual = runKernel(heap, concat, { inputs, shape, attributes: { axis } })!
        const truth = tabulate(shape, position => {
          let start = 0
          return inputs.reduce((total, x) => {
            const value = element(x.data, x.shape, position.with(axis, position[axis]! - start))
            start += x.shape[axis]!
            return total + value
          }, 0)
        })
        expect(difference(actual, truth)).toBe(0)
      }),
      { numRuns: runs(200) },
    )
  })

  it('should pad with zeros', () => {
    const axis = fc.tuple(fc.integer({ min: 1, max: 6 }), fc.nat(3), fc.nat(3))
    fc.assert(
      fc.property(fc.array(axis, { maxLength: 4 }), axes => {
        const x = array(axes.map(([n]) => n))
        const before = axes.map(([, b]) => b)
        const after = axes.map(([, , a]) => a)
        const shape = axes.map(([n, b, a]) => n + b + a)
        const actual = runKernel(heap, pad, { inputs: [x], shape, attributes: { before, after } })!
        const truth = tabulate(shape, position =>
          element(
            x.data,
            x.shape,
            position.map((p, i) => p - before[i]!),
          ),
        )
        expect(difference(actual, truth)).toBe(0)
      }),
      { numRuns: runs(200) },
    )
  })
})
