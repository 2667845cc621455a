import { normKernels } from './normKernels.ts'

export interface BatchNormAttributes {
  readonly epsilon: number
  /** Whether relu follows. */
  readonly relu: boolean
}

/**
 * Batch normalisation with the batch's statistics (Ioffe and Szegedy 2015), with relu where asked: x [batch, channels,
 * ...spatial], weight and bias [channels]. A set is a channel, a row its part of an image.
 */
const kernels = normKernels<BatchNormAttributes>(([images, channels, ...space], { epsilon, relu }) => {
  if (images === undefined || channels === undefined) return undefined
  const spatial = space.reduce((product, n) => product * n, 1)
  const sets = { images: 1, sets: channels, setStep: spatial, setParameterStep: 1 }
  const rows = { rows: images, rowLength: spatial, rowStep: channels * spatial, rowParameterStep: 0 } as const
  return { plan: { ...sets, ...rows, runs: images, runLength: spatial }, epsilon, activation: relu ? 'relu' : 'none' }
})

export const batchNorm = kernels.forward
export const batchNormInputGrad = kernels.inputGrad
export const batchNormGrad = kernels.grad
