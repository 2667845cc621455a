import type { Moments } from '../linearAlgebra/moments.ts'
import { type Affine, expectedSquaredError, identityAffine } from './affineDenoiser.ts'

export type ImageShape = readonly [channels: number, height: number, width: number]

/** One axis: row i holds the Gaussian weights of pixel i, cut at the border and scaled to sum 1. */
const blurOfAxis = (length: number, width: number): number[][] =>
  Array.from({ length }, (_, i) => {
    const weights = Array.from({ length }, (_, j) => Math.exp(-((i - j) ** 2) / (2 * width ** 2)))
    const total = weights.reduce((sum, weight) => sum + weight, 0)
    return weights.map(weight => weight / total)
  })

/**
 * Gaussian blur of deviation `width` pixels along both axes, each channel by itself, as an affine map. At the border the
 * weights inside the image share what falls outside, so constant images stay as they are. Width 0 is the identity.
 * Throws RangeError on a negative width.
 */
export const gaussianBlur = ([channels, height, columns]: ImageShape, width: number): Affine => {
  if (!(width >= 0)) throw new RangeError(`gaussianBlur: width must be 0 pixels or more, got ${width}; 1 is usual`)
  const plane = height * columns
  const n = channels * plane
  if (width === 0) return identityAffine(n)
  const [vertical, horizontal] = [blurOfAxis(height, width), blurOfAxis(columns, width)]
  const matrix = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    const channel = Math.floor(i / plane)
    const [row, column] = [Math.floor((i % plane) / columns), i % columns]
    for (let j = 0; j < plane; j++) {
      matrix[i * n + channel * plane + j] = vertical[row]![Math.floor(j / columns)]! * horizontal[column]![j % columns]!
    }
  }
  return { matrix, offset: new Float64Array(n) }
}

const candidateWidths = Array.from({ length: 31 }, (_, i) => i / 10)

/** The blur with the least expected squared error for images of these moments and noise sigma, among widths 0, 0.1, ..., 3 pixels. */
export const bestGaussianBlur = (shape: ImageShape, moments: Moments, sigma: number): { readonly width: number; readonly affine: Affine } =>
  candidateWidths
    .map(width => {
      const affine = gaussianBlur(shape, width)
      return { width, affine, error: expectedSquaredError(affine, moments, sigma) }
    })
    .reduce((best, next) => (next.error < best.error ? next : best))
