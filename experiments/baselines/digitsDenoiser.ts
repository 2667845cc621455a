import { affineDenoiser, type Denoiser, identityAffine, linearMmse } from '../../algorithms/baselines/affineDenoiser.ts'
import { bestGaussianBlur } from '../../algorithms/baselines/gaussianBlur.ts'
import { type Moments, momentsOf } from '../../algorithms/linearAlgebra/moments.ts'
import { loadDigits, splitDigits } from '../data/digits.ts'
import { imagesAt } from '../data/imagesAt.ts'

/** Denoisers that need no network: Wiener's linear estimate, a Gaussian blur, and none, which leaves the noise. */
export type PlainDenoiserName = 'linear' | 'blur' | 'none'

let moments: Moments | undefined

/** Mean and covariance of the training digits, computed once. */
const trainingMoments = (): Moments => {
  if (moments) return moments
  const { images, shape } = imagesAt(loadDigits(), splitDigits().train)
  moments = momentsOf(images, shape[1] * shape[2])
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
