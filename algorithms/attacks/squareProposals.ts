import { normOf } from './hyperplane.ts'

/** Size of one image, [channels, height, width]. */
export type ImageShape = readonly [channels: number, height: number, width: number]

/** The next uniform value in [0, 1) of one image's proposal. */
export type NextUniform = () => number

/** What a proposal of Square attack is made for: one image, flat. */
export interface ProposalContext {
  readonly clean: Float64Array
  readonly shape: ImageShape
  readonly epsilon: number
  readonly next: NextUniform
}

const integer = (next: NextUniform, below: number): number => Math.floor(next() * below)
const coin = (next: NextUniform): 1 | -1 => (next() < 0.5 ? -1 : 1)
const inBox = (value: number): number => Math.min(1, Math.max(0, value))

/** Calls `visit` with the index of each pixel of a side x side window. */
const eachPixel = (
  [, height, width]: ImageShape,
  { channel, row, column, side }: { readonly channel: number; readonly row: number; readonly column: number; readonly side: number },
  visit: (index: number, r: number, c: number) => void,
): void => {
  for (let r = 0; r < side; r++) for (let c = 0; c < side; c++) visit((channel * height + row + r) * width + column + c, r, c)
}

/** l_inf start: vertical stripes one pixel wide, each epsilon up or down in each channel. */
export const stripes = ({ clean, shape, epsilon, next }: ProposalContext): Float64Array => {
  const [channels, height, width] = shape
  const x = clean.slice()
  for (let channel = 0; channel < channels; channel++) {
    for (let column = 0; column < width; column++) {
      const shift = coin(next) * epsilon
      for (let row = 0; row < height; row++) {
        const i = (channel * height + row) * width + column
        x[i] = inBox(clean[i]! + shift)
      }
    }
  }
  return x
}

/** l_inf proposal: one square window, epsilon up or down in each channel; elsewhere the current image. */
export const squareLinf = (current: Float64Array, side: number, { clean, shape, epsilon, next }: ProposalContext): Float64Array => {
  const [channels, height, width] = shape
  const [row, column] = [integer(next, height - side + 1), integer(next, width - side + 1)]
  const x = current.slice()
  for (let channel = 0; channel < channels; channel++) {
    const shift = coin(next) * epsilon
    eachPixel(shape, { channel, row, column, side }, i => {
      x[i] = inBox(clean[i]! + shift)
    })
  }
  return x
}

/**
 * The l_2 attack's pattern of unit norm, side x side: two halves of opposite sign, each a pyramid that falls from its centre,
 *
 *   at Chebyshev distance d from the centre:  sum_{k = d+1}^{n+1} 1 / k^2,   n = the largest d
 *
 * one half above the other, or beside it when `beside`.
 */
export const l2Pattern = (side: number, beside: boolean): Float64Array => {
  const pattern = new Float64Array(side * side)
  const half = Math.floor(side / 2)
  const ranges =
    half === 0
      ? [[0, side]]
      : [
          [0, half],
          [half, side],
        ]
  ranges.forEach(([from, to], sign) => {
    const [rowCentre, columnCentre] = [from! + Math.floor((to! - from!) / 2), half]
    const n = Math.max(rowCentre - from!, to! - 1 - rowCentre, columnCentre, side - 1 - columnCentre)
    const own = new Map<number, number>()
    for (let r = from!; r < to!; r++) {
      for (let c = 0; c < side; c++) {
        const d = Math.max(Math.abs(r - rowCentre), Math.abs(c - columnCentre))
        let height = 0
        for (let k = d + 1; k <= n + 1; k++) height += 1 / k ** 2
        own.set(beside ? c * side + r : r * side + c, height)
      }
    }
    const norm = normOf([...own.values()], 'l2')
    for (const [i, height] of own) pattern[i] = ((sign === 0 ? 1 : -1) * height) / norm
  })
  const norm = normOf(pattern, 'l2')
  return pattern.map(value => value / norm)
}

/** l_2 start: patterns of random sign on a grid of squares of `side` pixels, scaled to epsilon. */
export const l2Grid = (side: number, { clean, shape, epsilon, next }: ProposalContext): Float64Array => {
  const [channels, height, width] = shape
  const delta = new Float64Array(clean.length)
  for (let row = 0; row + side <= height; row += side) {
    for (let column = 0; column + side <= width; column += side) {
      const pattern = l2Pattern(side, next() < 0.5)
      for (let channel = 0; channel < channels; channel++) {
        const sign = coin(next)
        eachPixel(shape, { channel, row, column, side }, (i, r, c) => {
          delta[i] = sign * pattern[r * side + c]!
        })
      }
    }
  }
  const scale = epsilon / normOf(delta, 'l2')
  return clean.map((value, i) => inBox(value + scale * delta[i]!))
}

/**
 * l_2 proposal: what one window's perturbation holds of the ball moves to another, where it grows along the pattern. With nu the current
 * perturbation, W2 emptied and W1 refilled, per channel:
 *
 *   nu_W1 <- a v / ||v||,   v = sign pattern + nu_W1 / ||nu_W1||,   a^2 = ||nu_{W1 u W2}||^2 + (epsilon^2 - ||nu||^2) / channels
 */
export const squareL2 = (current: Float64Array, side: number, { clean, shape, epsilon, next }: ProposalContext): Float64Array => {
  const [channels, height, width] = shape
  const corner = () => ({ row: integer(next, height - side + 1), column: integer(next, width - side + 1), side })
  const [filled, emptied] = [corner(), corner()]
  const pattern = l2Pattern(side, next() < 0.5)
  const nu = current.map((value, i) => value - clean[i]!)
  const unused = Math.max(0, epsilon ** 2 - normOf(nu, 'l2') ** 2) / channels
  for (let channel = 0; channel < channels; channel++) {
    const sign = coin(next)
    const old = new Map<number, number>()
    let filledSquares = 0
    eachPixel(shape, { channel, ...emptied }, i => old.set(i, nu[i]!))
    eachPixel(shape, { channel, ...filled }, i => {
      old.set(i, nu[i]!)
      filledSquares += nu[i]! ** 2
    })
    const available = Math.sqrt([...old.values()].reduce((sum, value) => sum + value ** 2, 0) + unused)
    const scale = filledSquares > 0 ? 1 / Math.sqrt(filledSquares) : 0
    const grown = new Map<number, number>()
    eachPixel(shape, { channel, ...filled }, (i, r, c) => grown.set(i, sign * pattern[r * side + c]! + scale * nu[i]!))
    const length = normOf([...grown.values()], 'l2')
    // The pattern can cancel what was there; the window then stays as it is.
    if (length === 0) continue
    eachPixel(shape, { channel, ...emptied }, i => {
      nu[i] = 0
    })
    for (const [i, value] of grown) nu[i] = (available * value) / length
  }
  return clean.map((value, i) => inBox(value + nu[i]!))
}
