import type { Tensor } from '../index.ts'
import { type SideMap, separableResample, sideMap } from './separableResample.ts'

/** Output pixel i lies at (i + 1/2) inputs / outputs - 1/2, not before the first input, between two pixels; the last repeats. */
const bilinearMap = (inputs: number, outputs: number): SideMap =>
  sideMap(inputs, outputs, (output, add) => {
    const place = Math.max(0, ((output + 0.5) * inputs) / outputs - 0.5)
    const first = Math.min(Math.floor(place), inputs - 1)
    add(first, 1 - (place - first))
    add(Math.min(first + 1, inputs - 1), place - first)
  })

/**
 * Bilinear interpolation as PyTorch's `interpolate(mode='bilinear', align_corners=False)` without antialiasing.
 * x: [batch, channels, height, width]; result [batch, channels, newHeight, newWidth].
 */
export const resizeBilinear = (x: Tensor, [newHeight, newWidth]: readonly [number, number]): Tensor => {
  const [, , height, width] = x.shape
  return separableResample(x, bilinearMap(height!, newHeight), bilinearMap(width!, newWidth))
}
