import { linearSchedule } from '../../algorithms/diffusion/schedule.ts'
import type { EpsilonModel } from '../../algorithms/models/types.ts'
import { createUnet2d } from '../../algorithms/models/unet2d.ts'
import type { Purifier } from '../../algorithms/purification/purify.ts'
import { paperTimesteps } from '../../algorithms/purification/timesteps.ts'
import type { Draws } from '../../algorithms/randomness/draws.ts'
import { ops, type Tensor, tensor } from '../../core/index.ts'
import { normal, uniform } from '../../core/random/distributions.ts'
import { foldIn, key } from '../../core/random/key.ts'
import { sizeOf } from '../../core/shape.ts'

/** Small stand-ins for networks, images and draws, so that every property runs in milliseconds. */

export const schedule = linearSchedule()

/** Standard normal values that float32 can represent, named by seed and name. */
export const gaussian = (seed: number, name: string, shape: readonly number[]): Tensor =>
  tensor(normal(foldIn(key(seed), name), sizeOf(shape)).map(Math.fround), shape)

/** Pixels uniform in [low, high) that float32 can represent. */
export const pixels = (seed: number, shape: readonly number[], { low = 0, high = 1 } = {}): Tensor =>
  tensor(
    uniform(foldIn(key(seed), 'pixels'), sizeOf(shape)).map(u => Math.fround(low + (high - low) * u)),
    shape,
  )

/** Two 3x3 convolutions around a silu, and a share of the input that falls with t: curved, mixing pixels, knowing t. */
export const smallEpsilon = (seed: number, channels: number): EpsilonModel => {
  const first = gaussian(seed, 'first', [2, channels, 3, 3]).mul(0.3)
  const second = gaussian(seed, 'second', [channels, 2, 3, 3]).mul(0.3)
  return (xT, t) => {
    const share = tensor(
      t.map(value => 0.6 - value / 2000),
      [t.length, 1, 1, 1],
    )
    return xT.mul(share).add(ops.conv2d(ops.silu(ops.conv2d(xT, first, { padding: 1 })), second, { padding: 1 }))
  }
}

/** The configuration of the smallest real network: two levels, attention, time embedding. */
export const smallUnetConfig = (channels: number) =>
  ({
    in_channels: channels,
    out_channels: channels,
    block_out_channels: [4, 8],
    down_block_types: ['DownBlock2D', 'AttnDownBlock2D'],
    up_block_types: ['AttnUpBlock2D', 'UpBlock2D'],
    layers_per_block: 1,
    norm_num_groups: 2,
    attention_head_dim: null,
  }) as const

export const smallUnet = (seed: number, channels: number): EpsilonModel => {
  const network = createUnet2d(smallUnetConfig(channels))
  const parameters = network.init(foldIn(key(seed), 'unet'))
  return (xT, t) => network.apply(parameters, xT, t)
}

/** logits = W flatten(images) + b. weights: [features, classes]. */
export const linearClassifier =
  (weights: Tensor, bias?: Tensor) =>
  (images: Tensor): Tensor => {
    const logits = images.reshape([images.shape[0]!, -1]).matmul(weights)
    return bias ? logits.add(bias) : logits
  }

/** Few steps from t = 99, DDPM unless said otherwise. */
export const purifierOf = (epsilonTheta: EpsilonModel, given: Partial<Purifier> = {}): Purifier => ({
  epsilonTheta,
  schedule,
  intervals: paperTimesteps({ tStar: 0.1, steps: 3 }),
  reverse: { kind: 'ddpm', variance: 'fixedLarge' },
  ...given,
})

/** The same draws, telling `drawn` of every call and the context in which it happened. */
export const recording = (draws: Draws, drawn: (name: string, draws: Draws) => void): Draws => ({
  ...draws,
  at: context => recording(draws.at(context), drawn),
  forImages: images => recording(draws.forImages(images), drawn),
  normal: (source, shape, place) => {
    drawn(`${source}/${place?.diffusionStep ?? 0}/${place?.part ?? ''}`, draws)
    return draws.normal(source, shape, place)
  },
})

/** Every bit of a tensor's values, as numbers that compare -0 and 0, and NaN, as bits do. */
export const bits = async (x: Tensor): Promise<string> => Buffer.from((await x.data()).buffer).toString('hex')
