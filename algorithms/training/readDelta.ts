import type { Tensor } from '../../core/index.ts'
import { formatShape, ShapeError, sameShape } from '../../core/shape.ts'

/**
 * The values of a perturbation that is to become noise, as every mapping of it takes them.
 * delta, z: [batch, channels, height, width]; tieBreak: one value per element; `mapping` is named in errors.
 * Throws ShapeError on shapes that differ and when tieBreak has another size, Error on NaN (naming image, channel and position).
 */
export const readDelta = async (
  delta: Tensor,
  { mapping, z, tieBreak }: { readonly mapping: string; readonly z: Tensor; readonly tieBreak: ArrayLike<number> },
): Promise<ArrayLike<number>> => {
  if (delta.rank !== 4 || !sameShape(delta.shape, z.shape)) {
    throw new ShapeError(
      `${mapping}: delta and z must both be [batch,channels,height,width], got ${formatShape(delta.shape)} and ${formatShape(z.shape)}; draw z in the shape of delta`,
    )
  }
  if (tieBreak.length !== delta.size)
    throw new ShapeError(`${mapping}: tieBreak has ${tieBreak.length} values for ${delta.size} elements; draw one per element`)
  const values = await delta.data()
  const [, channels, height, width] = delta.shape as [number, number, number, number]
  for (let i = 0; i < values.length; i++) {
    if (!Number.isNaN(values[i])) continue
    const [pixel, plane] = [i % (height * width), Math.floor(i / (height * width))]
    throw new Error(
      `${mapping}: delta is NaN at image ${Math.floor(plane / channels)}, channel ${plane % channels}, row ${Math.floor(pixel / width)}, column ${pixel % width}; ` +
        'a gradient overflowed: check the classifier and lower lambda',
    )
  }
  return values
}
