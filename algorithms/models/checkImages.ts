import { ShapeError, type Tensor } from '../../core/index.ts'

/**
 * Images [batch, channels, height, width] as a network takes them, with both sides divisible by `divisor`: 2 to the number of
 * times it halves them. @throws ShapeError naming the network
 */
export const checkImages = (network: string, x: Tensor, o: { readonly channels: number; readonly divisor: number }): void => {
  const [, channels, height, width] = x.shape
  if (x.rank === 4 && channels === o.channels && height! % o.divisor === 0 && width! % o.divisor === 0) return
  throw new ShapeError(
    `${network}: x must be [batch,${o.channels},height,width] with sides divisible by ${o.divisor}, got [${x.shape}]; resize it`,
  )
}
