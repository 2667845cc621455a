/** An sRGB colour, 0..255 each. */
type Rgb = readonly [number, number, number]

/** Dark blue over grey to yellow, evenly rising in lightness: the order of losses is that of greys for every kind of colour vision. */
const ANCHORS: readonly Rgb[] = [
  [0, 34, 78],
  [53, 69, 108],
  [102, 105, 112],
  [148, 142, 119],
  [200, 184, 102],
  [255, 233, 69],
]

/** The colour of a share from 0 to 1; beyond, that of the nearer end. */
export const colorOf = (share: number): Rgb => {
  const place = Math.min(1, Math.max(0, share)) * (ANCHORS.length - 1)
  const k = Math.min(ANCHORS.length - 2, Math.floor(place))
  const [from, to] = [ANCHORS[k]!, ANCHORS[k + 1]!]
  return [0, 1, 2].map(c => Math.round(from[c]! + (place - k) * (to[c]! - from[c]!))) as unknown as Rgb
}

/** The scale as a CSS gradient from left to right. */
export const gradientCss = `linear-gradient(to right, ${ANCHORS.map(color => `rgb(${color.join(' ')})`).join(', ')})`
