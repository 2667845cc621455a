import type { Tensor } from '../index.ts'
import { type SideMap, separableResample, sideMap } from './separableResample.ts'

/** The free parameter of the cubic kernel, as PyTorch has it; -0.5 is another usual choice. */
const A = -0.75

/** Keys' cubic convolution kernel: 1 at 0, 0 at all other whole numbers and beyond 2. */
const cubic = (distance: number): number => {
  const d = Math.abs(distance)
  if (d <= 1) return ((A + 2) * d - (A + 3)) * d * d + 1
  return d < 2 ? A * (((d - 5) * d + 8) * d - 4) : 0
}

/** Output pixel i lies at (i + 1/2) inputs / outputs - 1/2 and sees the four pixels around it; the border pixel repeats. */
const bicubicMap = (inputs: number, outputs: number): SideMap =>
  sideMap(inputs, outputs, (output, add) => {
    const place = ((output + 0.5) * inputs) / outputs - 0.5
    const first = Math.floor(place) - 1
    for (let pixel = first; pixel < first + 4; pixel++) add(Math.min(Math.max(pixel, 0), inputs - 1), cubic(place - pixel))
  })

/**
 * Bicubic interpolation (Keys 1981) as PyTorch's `interpolate(mode='bicubic', align_corners=False)` without antialiasing:
 * kernel parameter -0.75, pixel centres at half integers, border pixels repeated. Results may leave the range of x.
 * x: [batch, channels, height, width]; result [batch, channels, newHeight, newWidth].
 */
export const resizeBicubic = (x: Tensor, [newHeight, newWidth]: readonly [number, number]): Tensor => {
  const [, , height, width] = x.shape
  return separableResample(x, bicubicMap(height!, newHeight), bicubicMap(width!, newWidth))
}
