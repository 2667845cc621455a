import { normKernels } from './normKernels.ts'

export interface GroupNormAttributes {
  readonly groups: number
  readonly epsilon: number
  /** Whether SiLU follows: y sigmoid(y) of the normalised and scaled y. */
  readonly silu: boolean
}

/**
 * Group normalisation (Wu and He 2018), with SiLU where asked: x [batch, channels, ...spatial], weight and bias [channels].
 * A set is a group of an image's channels, a row one of its channels.
 */
const kernels = normKernels<GroupNormAttributes>(([images, channels, ...space], { groups, epsilon, silu }) => {
  if (images === undefined || channels === undefined || channels % groups !== 0) return undefined
  const spatial = space.reduce((product, n) => product * n, 1)
  const rows = channels / groups
  const size = rows * spatial
  const sets = { images, sets: groups, setStep: size, setParameterStep: rows }
  const plan = { ...sets, rows, rowLength: spatial, rowStep: spatial, rowParameterStep: 1, runs: 1, runLength: size } as const
  return { plan, epsilon, activation: silu ? 'silu' : 'none' }
})

export const groupNorm = kernels.forward
export const groupNormInputGrad = kernels.inputGrad
export const groupNormGrad = kernels.grad
