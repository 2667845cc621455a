import { createHash } from 'node:crypto'
import { type Conv2dAttributes, conv2d, conv2dInputGrad, conv2dWeightGrad } from '../../../core/backends/cpu/conv2d.ts'
import { createHeap } from '../../../core/backends/cpu/heap.ts'

/** A convolution's sizes: x [batch, inChannels, height, width], w [outChannels, inChannels / groups, kernel]. */
export interface ConvCase extends Conv2dAttributes {
  readonly batch: number
  readonly inChannels: number
  readonly outChannels: number
  readonly size: readonly [number, number]
  readonly kernel: readonly [number, number]
}

export const heap = createHeap()

export const count = (shape: readonly number[]): number => shape.reduce((total, size) => total * size, 1)

/** A new array of the heap, of not-a-number unless values are given, so that an element left out shows. */
export const place = (shape: readonly number[], values?: Float32Array) => {
  const pointer = heap.allocate(4 * count(shape))
  heap.f32(pointer, count(shape)).set(values ?? new Float32Array(count(shape)).fill(Number.NaN))
  return { pointer, shape, dtype: 'float32' as const }
}

/** Fixed pseudo-random values in [-1, 1). */
export const noise = (shape: readonly number[], seed: number): Float32Array => {
  let state = seed | 1
  return Float32Array.from({ length: count(shape) }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    return state / 2 ** 31
  })
}

export const shapesOf = (c: ConvCase) => {
  const [top, bottom, left, right] = c.padding
  const outHeight = Math.floor((c.size[0] + top + bottom - c.kernel[0]) / c.stride[0]) + 1
  const outWidth = Math.floor((c.size[1] + left + right - c.kernel[1]) / c.stride[1]) + 1
  return {
    x: [c.batch, c.inChannels, ...c.size],
    w: [c.outChannels, c.inChannels / c.groups, ...c.kernel],
    y: [c.batch, c.outChannels, outHeight, outWidth],
  }
}

/** What the three kernels compute from fixed values, in arrays `shift` bytes behind where the heap places them. */
export const results = (c: ConvCase, { shift = 0 } = {}) => {
  const shapes = shapesOf(c)
  const at = (shape: readonly number[], values?: Float32Array) => {
    const n = count(shape)
    const base = heap.allocate(4 * n + shift)
    heap.f32(base + shift, n).set(values ?? new Float32Array(n).fill(Number.NaN))
    return { pointer: base + shift, shape, dtype: 'float32' as const }
  }
  const [x, w, dy] = [at(shapes.x, noise(shapes.x, 3)), at(shapes.w, noise(shapes.w, 5)), at(shapes.y, noise(shapes.y, 7))]
  const bias = at([c.outChannels], noise([c.outChannels], 9))
  const [y, dx, dw] = [at(shapes.y), at(shapes.x), at(shapes.w)]
  conv2d(heap, [x, w, bias], y, c)
  conv2dInputGrad(heap, [dy, w], dx, { ...c, inputShape: shapes.x })
  conv2dWeightGrad(heap, [x, dy], dw, { ...c, weightShape: shapes.w })
  const [forward, inputGrad, weightGrad] = [y, dx, dw].map(({ pointer, shape }) => heap.f32(pointer, count(shape)).slice())
  for (const { pointer } of [x, w, dy, bias, y, dx, dw]) heap.free(pointer - shift)
  return { forward, inputGrad, weightGrad }
}

/** A hash of the bits of all that `results` gives. */
export const bitsOf = (c: ConvCase, options?: Parameters<typeof results>[1]): string => {
  const hash = createHash('sha256')
  for (const values of Object.values(results(c, options))) hash.update(new Uint8Array(values.buffer))
  return hash.digest('hex')
}

/** Calls `visit(x index, w index, y index)` for every product of the convolution's definition. */
const forEachProduct = (c: ConvCase, visit: (x: number, w: number, y: number) => void): void => {
  const { w, y } = shapesOf(c)
  const [kh, kw] = c.kernel
  const perGroup = c.outChannels / c.groups
  for (let b = 0; b < c.batch; b++)
    for (let o = 0; o < c.outChannels; o++)
      for (let i = 0; i < w[1]; i++)
        for (let py = 0; py < y[2]; py++)
          for (let px = 0; px < y[3]; px++)
            for (let ky = 0; ky < kh; ky++)
              for (let kx = 0; kx < kw; kx++) {
                const iy = py * c.stride[0] + ky - c.padding[0]
                const ix = px * c.stride[1] + kx - c.padding[2]
                if (iy < 0 || ix < 0 || iy >= c.size[0] || ix >= c.size[1]) continue
                const channel = Math.floor(o / perGroup) * w[1] + i
                visit(
                  ((b * c.inChannels + channel) * c.size[0] + iy) * c.size[1] + ix,
                  ((o * w[1] + i) * kh + ky) * kw + kx,
                  ((b * c.outChannels + o) * y[2] + py) * y[3] + px,
                )
              }
}

/** The three convolutions in float64, from the definition. */
export const definition = {
  forward(c: ConvCase, x: Float32Array, w: Float32Array, bias?: Float32Array): Float64Array {
    const { y } = shapesOf(c)
    const result = new Float64Array(count(y)).map((_, i) => bias?.[Math.floor(i / (y[2] * y[3])) % y[1]] ?? 0)
    forEachProduct(c, (i, j, k) => {
      result[k] += x[i] * w[j]
    })
    return result
  },
  inputGrad(c: ConvCase, dy: Float32Array, w: Float32Array): Float64Array {
    const result = new Float64Array(count(shapesOf(c).x))
    forEachProduct(c, (i, j, k) => {
      result[i] += dy[k] * w[j]
    })
    return result
  },
  weightGrad(c: ConvCase, x: Float32Array, dy: Float32Array): Float64Array {
    const result = new Float64Array(count(shapesOf(c).w))
    forEachProduct(c, (i, j, k) => {
      result[j] += x[i] * dy[k]
    })
    return result
  },
}

/**
 * Largest difference relative to the largest of `scale`, by default the expected values; infinite for a not-a-number.
 * Where few values are compared they may all be small by cancellation: then the sums of absolute products are the scale.
 */
export const relativeError = (actual: Float32Array, expected: Float64Array, scale: Float64Array = expected): number => {
  let difference = 0
  let largest = 1e-30
  for (let i = 0; i < expected.length; i++) {
    const d = Math.abs(actual[i] - expected[i])
    difference = Number.isNaN(d) ? Number.POSITIVE_INFINITY : Math.max(difference, d)
    largest = Math.max(largest, Math.abs(scale[i]))
  }
  return difference / largest
}
