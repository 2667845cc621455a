import { type Tensor, tensor, tidy } from '../../core/index.ts'
import { type Plane, pointIn } from './plane.ts'

export interface LossSurfaceOptions {
  /** Shape of the image, [channels, height, width]. */
  readonly shape: readonly number[]
  /** Where along either axis the loss is taken, l_2 in pixel units. */
  readonly coordinates: readonly number[]
  /** Random worlds that are averaged; the same for every point, so that points differ by the image alone. 1 where nothing is random. */
  readonly worlds: number
  /** Images evaluated at a time. Default 128. */
  readonly batch?: number
  /** Called as images are evaluated, with their number. */
  readonly onWork?: (images: number) => void
}

/**
 * The loss over a plane through an image, without any normalisation of filters: it is the image that moves, not the weights.
 *
 *   L[j][i] = 1/n sum_k loss(origin + coordinates[i] u + coordinates[j] v; world k)
 *
 * `loss` gives [batch] for images [batch, channels, height, width] in world k. Row j is the place along the second axis. Exactly affine for
 * a loss that is affine in x. Throws RangeError unless there is a world and a coordinate.
 */
export const lossSurface = async (
  loss: (x: Tensor, world: number) => Tensor,
  plane: Plane,
  { shape, coordinates, worlds, batch = 128, onWork = () => {} }: LossSurfaceOptions,
): Promise<number[][]> => {
  if (!(Number.isInteger(worlds) && worlds >= 1 && coordinates.length >= 1)) {
    throw new RangeError(
      `lossSurface: needs a coordinate and a whole number of worlds >= 1, got ${coordinates.length} and ${worlds}; take 1 world where nothing is random`,
    )
  }
  const points = coordinates.flatMap(b => coordinates.map(a => [a, b] as const))
  const values: number[] = []
  for (let first = 0; first < points.length; first += batch) {
    const chunk = points.slice(first, first + batch)
    const pixels = Float64Array.from(chunk.flatMap(point => [...pointIn(plane, point)]))
    const x = tensor(pixels, [chunk.length, ...shape])
    const total = new Float64Array(chunk.length)
    for (let k = 0; k < worlds; k++) {
      const seen = tidy(() => loss(x, k))
      const losses = await seen.data()
      seen.dispose()
      total.forEach((sum, i) => {
        total[i] = sum + losses[i]! / worlds
      })
      onWork(chunk.length)
    }
    x.dispose()
    values.push(...total)
  }
  return coordinates.map((_, j) => values.slice(j * coordinates.length, (j + 1) * coordinates.length))
}
