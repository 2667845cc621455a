/**
 * Values that every contestant computes alike, in [-0.5, 0.5): a hash of the position (Wellons' lowbias32 without its last
 * round), so that results can be compared across languages without sending arrays.
 */
export const fill = (count: number, seed: number): Float32Array => {
  const values = new Float32Array(count)
  for (let i = 0; i < count; i++) {
    let h = (i + Math.imul(seed, 0x9e3779b9)) >>> 0
    h = Math.imul(h ^ (h >>> 16), 0x7feb352d)
    h = Math.imul(h ^ (h >>> 15), 0x846ca68b) >>> 0
    values[i] = h / 2 ** 32 - 0.5
  }
  return values
}

/** Scales a uniform variable of width 1 to variance 1. */
export const unitVariance = Math.sqrt(12)

/**
 * Values of a network's tensor, by its name and shape, so that activations stay of order 1: matrices and filters with
 * variance 1 / fan-in, scales and variances around 1, the rest small.
 */
export const fillParameter = (name: string, shape: readonly number[], seed: number): Float32Array => {
  const size = shape.reduce((product, n) => product * n, 1)
  const [scale, offset] =
    shape.length > 1 ? [unitVariance / Math.sqrt(size / shape[0]!), 0] : /(weight|running_var)$/.test(name) ? [0.2, 1] : [0.2, 0]
  return fill(size, seed).map(value => scale * value + offset)
}

/** Seeds of the arrays that are no parameters; parameters have the place of their name in alphabetical order, plus an offset. */
export const SEEDS = {
  x: 1,
  y: 2,
  z: 3,
  weight: 4,
  bias: 5,
  mean: 6,
  variance: 7,
  outputGradient: 8,
  forward: 20,
  reverse: 21,
  unet: 1000,
  classifier: 2000,
} as const

/** Mean absolute value: what contestants' results are compared by. */
export const meanAbsolute = (values: ArrayLike<number>): number => {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += Math.abs(values[i]!)
  return sum / values.length
}
