import type { Tensor } from '../index.ts'
import { type SideMap, separableResample, sideMap } from './separableResample.ts'

/** Output i is the mean of the inputs from floor(i inputs / outputs) to ceil((i + 1) inputs / outputs), exclusive. */
const meanMap = (inputs: number, outputs: number): SideMap =>
  sideMap(inputs, outputs, (output, add) => {
    const begin = Math.floor((output * inputs) / outputs)
    const end = Math.ceil(((output + 1) * inputs) / outputs)
    for (let input = begin; input < end; input++) add(input, 1 / (end - begin))
  })

/**
 * Means over windows that tile the image into newHeight x newWidth parts as evenly as they can, as PyTorch's
 * `adaptive_avg_pool2d`; windows overlap where the sides do not divide, and pixels repeat where the image is smaller.
 * x: [batch, channels, height, width].
 */
export const adaptiveAvgPool2d = (x: Tensor, [newHeight, newWidth]: readonly [number, number]): Tensor => {
  const [, , height, width] = x.shape
  if (height === newHeight && width === newWidth) return x
  return separableResample(x, meanMap(height!, newHeight), meanMap(width!, newWidth))
}
