/** Mean [n] and covariance [n, n], row-major: all that a Gaussian is. */
export interface Moments {
  readonly dimension: number
  readonly mean: Float64Array
  readonly covariance: Float64Array
}

/**
 * Sample mean [n] of N rows of n = `dimension` values each, in float64.
 * Throws RangeError unless there are two whole rows or more, Error naming the row on a value that is not finite.
 */
export const meanOfRows = (rows: ArrayLike<number>, dimension: number): Float64Array => {
  const count = rows.length / dimension
  if (!(Number.isInteger(count) && count >= 2)) {
    throw new RangeError(`meanOfRows: needs two or more rows of ${dimension} values, got ${rows.length} values; give more samples`)
  }
  const mean = new Float64Array(dimension)
  for (let i = 0; i < rows.length; i++) {
    if (!Number.isFinite(rows[i]))
      throw new Error(`meanOfRows: row ${Math.floor(i / dimension)} holds ${rows[i]}; check the model's weights`)
    mean[i % dimension]! += rows[i]! / count
  }
  return mean
}

/**
 * Sample mean and unbiased sample covariance (divisor N - 1) of N rows of `dimension` values each, two passes in float64.
 * Throws as meanOfRows.
 */
export const momentsOf = (rows: ArrayLike<number>, dimension: number): Moments => {
  const count = rows.length / dimension
  const mean = meanOfRows(rows, dimension)
  const covariance = new Float64Array(dimension * dimension)
  const centred = new Float64Array(dimension)
  for (let row = 0; row < rows.length; row += dimension) {
    for (let i = 0; i < dimension; i++) centred[i] = rows[row + i]! - mean[i]!
    for (let i = 0; i < dimension; i++) {
      for (let j = i; j < dimension; j++) covariance[i * dimension + j]! += (centred[i]! * centred[j]!) / (count - 1)
    }
  }
  for (let i = 0; i < dimension; i++) for (let j = 0; j < i; j++) covariance[i * dimension + j] = covariance[j * dimension + i]!
  return { dimension, mean, covariance }
}
