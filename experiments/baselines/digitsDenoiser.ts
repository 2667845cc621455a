import { affineDenoiser, type Denoiser, identityAffine, linearMmse } from '../../algorithms/baselines/affineDenoiser.ts'
import { bestGaussianBlur } from '../../algorithms/baselines/gaussianBlur.ts'
import { type Moments, momentsOf } from '../../algorithms/linearAlgebra/moments.ts'
import { loadDigits, splitDigits } from '../data/digits.ts'

/** Denoisers that need no network: Wiener's linear estimate, a Gaussian blur, and none, which leaves the noise. */
export type PlainDenoiserName = 'linear' | 'blur' | 'none'

let moments: Moments | undefined

/** Mean and covariance of the training digits, computed once. */
const trainingMoments = (): Moments => {
  if (moments) return moments
  const { images, shape } = loadDigits()
  const size = shape[1] * shape[2]
  const { train } = splitDigits()
  const rows = new Float64Array(train.length * size)
  train.forEach((id, i) => {
    rows.set(images.subarray(id * size, (id + 1) * size), i * size)
  })
  moments = momentsOf(rows, size)
  return moments
}

/** A denoiser of digits under noise `sigma` (pixels of [0,1]), fitted to the training images in closed form. */
export const digitsDenoiser = (name: PlainDenoiserName, sigma: number): Denoiser => {
  const { shape } = loadDigits()
  switch (name) {
    case 'linear':
      return affineDenoiser(linearMmse(trainingMoments(), sigma))
    case 'blur':
      return affineDenoiser(bestGaussianBlur(shape, trainingMoments(), sigma).affine)
    case 'none':
      return affineDenoiser(identityAffine(shape[0] * shape[1] * shape[2]))
  }
}
