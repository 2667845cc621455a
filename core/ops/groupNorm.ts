import type { Choose, TestCase } from '../op.ts'
import type { Tensor } from '../tensor.ts'
import { defineNormalisation } from './normalisation.ts'

export interface GroupNormAttributes {
  /** Channels fall into this many groups, each normalised over its channels and positions. */
  readonly groups: number
  readonly epsilon: number
  /** Whether silu follows, in the same kernel. */
  readonly silu: boolean
}

const domain = (choose: Choose, extra: 'dy' | null): TestCase<GroupNormAttributes> => {
  const groups = choose.integer(1, 3)
  const channels = groups * choose.integer(1, 3)
  const shape = [choose.integer(1, 3), channels, choose.integer(1, 4), choose.integer(1, 4)]
  const inputs = [{ shape }, { shape: [channels] }, { shape: [channels] }, ...(extra ? [{ shape }] : [])]
  return { inputs, attributes: { groups, epsilon: 1e-2, silu: choose.integer(0, 1) === 1 } }
}

const normalise = defineNormalisation<GroupNormAttributes>({
  name: 'groupNorm',
  grouping: (_, { groups }) => ({ channelGroups: groups, axes: [2] }),
  activation: ({ silu }) => (silu ? 'silu' : 'none'),
  divisor: ({ groups }) => [groups, 'groups'],
  domain,
})

/**
 * Group normalisation (Wu and He 2018): per image and group of channels, subtract the mean, divide by
 * sqrt(variance + epsilon) (biased variance), then scale and shift per channel; silu follows when asked.
 * x: [batch, channels, ...]; weight, bias: [channels]. Throws ShapeError when groups do not divide the channels.
 */
export const groupNorm = (
  x: Tensor,
  weight: Tensor,
  bias: Tensor,
  { groups, epsilon = 1e-5, silu = false }: Partial<GroupNormAttributes> & { groups: number },
): Tensor => normalise([x, weight, bias], { groups, epsilon, silu })
