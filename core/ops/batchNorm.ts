import type { Choose, TestCase } from '../op.ts'
import type { Tensor } from '../tensor.ts'
import { defineNormalisation } from './normalisation.ts'

export interface BatchNormAttributes {
  readonly epsilon: number
  /** Whether relu follows, in the same kernel. */
  readonly relu: boolean
}

/** With relu no element may come near its kink: |x̂| < sqrt 48, so these weights and biases keep each channel on one side. */
const domain = (choose: Choose, extra: 'dy' | null): TestCase<BatchNormAttributes> => {
  const channels = choose.integer(1, 4)
  const shape = [choose.integer(1, 3), channels, choose.integer(1, 4), choose.integer(1, 4)]
  const relu = choose.integer(0, 1) === 1
  const parameters = relu ? [{ low: 0.02, high: 0.12 }, { discrete: [-1, 1] }] : [{}, {}]
  const inputs = [{ shape }, ...parameters.map(range => ({ ...range, shape: [channels] })), ...(extra ? [{ shape }] : [])]
  return { inputs, attributes: { epsilon: 1e-2, relu } }
}

const normalise = defineNormalisation<BatchNormAttributes>({
  name: 'batchNorm',
  grouping: shape => ({ channelGroups: shape[1]!, axes: [0, 2] }),
  activation: ({ relu }) => (relu ? 'relu' : 'none'),
  domain,
})

/**
 * Batch normalisation with the batch's own statistics (Ioffe and Szegedy 2015): per channel, subtract the mean, divide by
 * sqrt(variance + epsilon) (biased variance), then scale and shift; relu follows when asked.
 * x: [batch, channels, ...]; weight, bias: [channels]. Throws ShapeError when these do not fit.
 */
export const batchNorm = (
  x: Tensor,
  weight: Tensor,
  bias: Tensor,
  { epsilon = 1e-5, relu = false }: Partial<BatchNormAttributes> = {},
): Tensor => normalise([x, weight, bias], { epsilon, relu })
