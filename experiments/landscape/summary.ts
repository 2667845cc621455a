import type { ImageLandscape, SurfaceSummary } from './results.ts'

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length

/** Index of the coordinate nearest to `value`. */
const nearest = (coordinates: readonly number[], value: number): number =>
  coordinates.reduce((best, c, i) => (Math.abs(c - value) < Math.abs(coordinates[best]! - value) ? i : best), 0)

/** What the surfaces of several images have in common, plane by plane and noise by noise. */
export const summarise = (images: readonly ImageLandscape[]): SurfaceSummary[] =>
  images[0]!.surfaces.map(({ axes, noise }, k) => {
    const coordinates = images[0]!.coordinates
    const [zero, one] = [nearest(coordinates, 0), nearest(coordinates, 1)]
    const over = (f: (loss: readonly (readonly number[])[]) => number): number => mean(images.map(({ surfaces }) => f(surfaces[k]!.loss)))
    const inDisc = (loss: readonly (readonly number[])[]): number[] =>
      loss.flatMap((line, j) => line.filter((_, i) => Math.hypot(coordinates[i]!, coordinates[j]!) <= 1))
    return {
      axes,
      noise,
      atClean: over(loss => loss[zero]![zero]!),
      alongFirst: over(loss => loss[zero]![one]!),
      alongSecond: over(loss => loss[one]![zero]!),
      largest: over(loss => Math.max(...inDisc(loss))),
    }
  })
