import { type Tensor, tensor } from '../../core/index.ts'
import { formatShape, ShapeError, sameShape } from '../../core/shape.ts'

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
  if (delta.rank !== 4 || !sameShape(delta.shape, z.shape)) {
    throw new ShapeError(
      `rbgm: delta and z must both be [batch,channels,height,width], got ${formatShape(delta.shape)} and ${formatShape(z.shape)}; draw z in the shape of delta`,
    )
  }
  if (tieBreak.length !== delta.size)
    throw new ShapeError(`rbgm: tieBreak has ${tieBreak.length} values for ${delta.size} elements; draw one per element`)
  const [, channels, height, width] = delta.shape as [number, number, number, number]
  const area = height * width
  const deltas = await delta.data()
  const noise = await z.data()
  assertNoNaN(deltas, channels, height, width)

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

const assertNoNaN = (values: ArrayLike<number>, channels: number, height: number, width: number): void => {
  for (let i = 0; i < values.length; i++) {
    if (!Number.isNaN(values[i])) continue
    const [pixel, plane] = [i % (height * width), Math.floor(i / (height * width))]
    throw new Error(
      `rbgm: delta is NaN at image ${Math.floor(plane / channels)}, channel ${plane % channels}, row ${Math.floor(pixel / width)}, column ${pixel % width}; ` +
        'a gradient overflowed: check the classifier and lower lambda',
    )
  }
}
