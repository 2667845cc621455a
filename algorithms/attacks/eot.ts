import { Tensor, valueAndGrad } from '../../core/index.ts'
import { steepestDirection } from './projections.ts'

/** Loss of every image of a batch, [batch], in one random world named by the EoT sample. */
export type SampledLoss = (x: Tensor, eotSample: number) => Tensor

/** A loss that comes with another value, which is averaged like the loss but not differentiated. */
export type WatchedLoss = (x: Tensor, eotSample: number) => readonly [loss: Tensor, watched: Tensor]

export interface EotGradient {
  /** Mean over samples of the loss of each image, [batch]. */
  readonly loss: Tensor
  /** Mean over samples of the gradient, as x. */
  readonly gradient: Tensor
  /** Means over the even and over the odd samples, as x: two independent estimates. Equal to `gradient` for one sample. */
  readonly halves: readonly [Tensor, Tensor]
  /** Mean over samples of the watched value, if the loss comes with one. */
  readonly watched?: Tensor
}

/**
 * Expectation over transformation (Athalye et al. 2018): the gradient of the mean loss, as the mean of the gradients of
 * `eotSamples` independent worlds.
 *
 *   g = 1/n sum_k d/dx CE(C(purify(x; noise_k)), y)
 *
 * Each image's gradient depends on that image alone: losses are summed over the batch before differentiation.
 * x: [batch, channels, height, width]. Throws RangeError when eotSamples is not a whole number >= 1.
 */
export const eotGradient = (loss: SampledLoss | WatchedLoss, x: Tensor, { eotSamples }: { eotSamples: number }): EotGradient => {
  if (!(Number.isInteger(eotSamples) && eotSamples >= 1)) {
    throw new RangeError(`eot: the number of samples must be a whole number >= 1, got ${eotSamples}; the paper uses 10`)
  }
  const sums: [Tensor | undefined, Tensor | undefined] = [undefined, undefined]
  let total: Tensor | undefined
  let watchedTotal: Tensor | undefined
  for (let k = 0; k < eotSamples; k++) {
    const { gradient, aux } = valueAndGrad((input: Tensor) => {
      const sample = loss(input, k)
      const seen = sample instanceof Tensor ? ([sample] as const) : sample
      return [seen[0].sum(), seen] as const
    })(x)
    const [perImage, watched] = aux
    total = total ? total.add(perImage) : perImage
    if (watched) watchedTotal = watchedTotal ? watchedTotal.add(watched) : watched
    sums[k % 2] = sums[k % 2]?.add(gradient) ?? gradient
  }
  const [even, odd] = sums
  const gradient = odd ? even!.add(odd).mul(1 / eotSamples) : even!
  const halves: [Tensor, Tensor] = odd
    ? [even!.mul(1 / Math.ceil(eotSamples / 2)), odd.mul(1 / Math.floor(eotSamples / 2))]
    : [gradient, gradient]
  const watched = watchedTotal && { watched: watchedTotal.mul(1 / eotSamples) }
  return { loss: total!.mul(1 / eotSamples), gradient, halves, ...watched }
}

/**
 * How good an EoT gradient is, per image: cosine of the two independent halves, [batch]. 1: noise-free; near 0: the
 * estimate is mostly noise; 0 where a half is zero. For halves of n/2 samples with signal-to-noise power ratio r per sample, the cosine is about
 * r n/2 / (1 + r n/2).
 */
export const halvesCosine = ([a, b]: readonly [Tensor, Tensor]): Tensor => {
  // Unit vectors first: the squares of small gradients vanish in float32.
  return steepestDirection(a, 'l2').mul(steepestDirection(b, 'l2')).sum([1, 2, 3])
}
