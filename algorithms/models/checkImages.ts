import { ShapeError, type Tensor } from '../../core/index.ts'

/** The images that a network takes. */
export interface ImageInput {
  readonly channels: number
  /** Divides both sides: 2 to the number of times the network halves them. Default 1. */
  readonly divisor?: number
  /** What both sides are at least. Default 1. */
  readonly leastSide?: number
}

export const takesSide = (side: number, { divisor = 1, leastSide = 1 }: ImageInput): boolean => side >= leastSide && side % divisor === 0

/** What both sides must be, to follow a description of the images: ` with sides divisible by 4`; empty where any will do. */
export const sidesRule = ({ divisor = 1, leastSide = 1 }: ImageInput): string => {
  const rules = [...(divisor > 1 ? [`divisible by ${divisor}`] : []), ...(leastSide > 1 ? [`of at least ${leastSide}`] : [])]
  return rules.length > 0 ? ` with sides ${rules.join(' and ')}` : ''
}

/** @throws ShapeError naming the network unless x is [batch, channels, height, width] as it takes them */
export const checkImages = (network: string, x: Tensor, input: ImageInput): void => {
  const [, channels, ...sides] = x.shape
  if (x.rank === 4 && channels === input.channels && sides.every(side => takesSide(side, input))) return
  throw new ShapeError(`${network}: x must be [batch,${input.channels},height,width]${sidesRule(input)}, got [${x.shape}]; resize it`)
}
