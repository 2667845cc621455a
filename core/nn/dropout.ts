import { type Tensor, tensor } from '../index.ts'
import { uniform } from '../random/distributions.ts'
import { foldIn, type Key } from '../random/key.ts'

/** What masks are drawn from: one key for the whole batch, or one for each image, whose mask is then its own in any batch. */
export type DropoutKey = Key | readonly Key[]

const isOnePerImage = (key: DropoutKey): key is readonly Key[] => typeof key[0] !== 'number'

/**
 * Sets each element to zero with the given probability and divides the others by 1 - probability (Srivastava et al. 2014).
 * The mask depends on the key alone; image i of a batch gets the same mask in a longer batch. x: [batch, ...].
 * Throws when the probability is outside [0, 1), or when there is another number of keys than images.
 */
export const dropout = (x: Tensor, probability: number, key: DropoutKey): Tensor => {
  if (!(probability >= 0 && probability < 1)) {
    throw new RangeError(`dropout: probability ${probability} is outside [0, 1); choose the share of elements to drop`)
  }
  if (probability === 0) return x
  return x.mul(tensor(maskOf(x, probability, key), x.shape, { backend: x.backend }))
}

export interface LayerDropoutOptions {
  /** Of the whole network; undefined outside training, where nothing is dropped. */
  readonly key: DropoutKey | undefined
  readonly probability: number
}

/** Dropout of one layer of a network: its name is folded into the key, so that layers have masks of their own. */
export const layerDropout = (x: Tensor, layer: string, { key, probability }: LayerDropoutOptions): Tensor => {
  if (key === undefined) return x
  return dropout(x, probability, isOnePerImage(key) ? key.map(own => foldIn(own, layer)) : foldIn(key, layer))
}

const maskOf = (x: Tensor, probability: number, key: DropoutKey): Float64Array => {
  const kept = (own: Key, count: number): Float64Array => uniform(own, count).map(u => (u < probability ? 0 : 1 / (1 - probability)))
  if (!isOnePerImage(key)) return kept(key, x.size)
  if (key.length !== x.shape[0]) throw new RangeError(`dropout: ${x.shape[0]} images but ${key.length} keys; give one key per image`)
  const mask = new Float64Array(x.size)
  const size = x.size / key.length
  key.forEach((own, i) => {
    mask.set(kept(own, size), i * size)
  })
  return mask
}
