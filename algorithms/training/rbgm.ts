import { type Tensor, tensor } from '../../core/index.ts'
import { readDelta } from './readDelta.ts'

/**
 * Rank-Based Gaussian Mapping: the values of the noise z in the order of delta.
 *
 * @paper E8 (RBGM)
 *
 *   per (image, channel):  eps_delta[i] = z_(rank of delta[i]),  z_(1) <= ... <= z_(HW) the sorted noise
 *
 * The result holds exactly the values of z, so its marginal is that of z (norm and all moments are z's), and it is ordered
 * as delta, so only the ranks of delta survive: any increasing map of delta gives the same result.
 *
 * delta, z: [batch, channels, height, width], z ~ N(0, I). tieBreak: one value per element; equal deltas are ranked by it, so
 * draw it at random: a fixed order would turn a constant delta into a ramp. +-Infinity ranks at the ends.
 * Throws on NaN (naming image, channel and position), on shapes that differ, and when tieBreak has another size.
 * Deviations: the published code leaves ties to an unstable sort and lets NaN sort last unnoticed (audit finding M8).
 */
export const rbgm = async (delta: Tensor, z: Tensor, { tieBreak }: { tieBreak: ArrayLike<number> }): Promise<Tensor> => {
  const deltas = await readDelta(delta, { mapping: 'rbgm', z, tieBreak })
  const [height, width] = delta.shape.slice(2) as [number, number]
  const area = height * width
  const noise = await z.data()

  const mapped = new Float64Array(deltas.length)
  const order = new Uint32Array(area)
  for (let first = 0; first < deltas.length; first += area) {
    for (let i = 0; i < area; i++) order[i] = first + i
    order.sort((i, j) => (deltas[i]! < deltas[j]! ? -1 : deltas[i]! > deltas[j]! ? 1 : tieBreak[i]! - tieBreak[j]!))
    const sorted = noise.slice(first, first + area).sort()
    for (let rank = 0; rank < area; rank++) mapped[order[rank]!] = sorted[rank]!
  }
  return tensor(mapped, delta.shape, { backend: delta.backend })
}
