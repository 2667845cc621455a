import { sizeOf } from '../../../shape.ts'
import { type NormPlan, normKernels } from './normKernels.ts'

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
const kernels = normKernels<GroupNormAttributes>((shape, { groups, epsilon, silu }) => {
  const [images, channels] = shape
  if (images === undefined || channels === undefined || channels % groups !== 0) return undefined
  const rowLength = sizeOf(shape) / (images * channels)
  const rows = channels / groups
  const runLength = rows * rowLength
  const plan: NormPlan = {
    images,
    sets: groups,
    setStep: runLength,
    setParameterStep: rows,
    rows,
    rowLength,
    rowStep: rowLength,
    rowParameterStep: 1,
    runs: 1,
    runLength,
  }
  return { plan, epsilon, activation: silu ? 'silu' : 'none' }
})

export const groupNorm = kernels.forward
export const groupNormInputGrad = kernels.inputGrad
export const groupNormGrad = kernels.grad
