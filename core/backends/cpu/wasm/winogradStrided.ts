import type { LaneTransform, WinogradGradientVariant, WinogradVariant } from './winogradTransform.ts'

/*
 * 3x3 convolutions with stride two. Along one axis
 *
 *   y[i] = w0 d[2i] + w1 d[2i + 1] + w2 d[2i + 2]
 *
 * is a filter with the taps (w0, w2) on the even inputs plus a product with the odd ones. Two outputs of the filter take three
 * multiplications, F(2, 2) at the points 0, 1 and infinity:
 *
 *   y0 = (d0 - d2) w0 + d2 (w0 + w2) + d1 w1        y1 = d2 (w0 + w2) + (d4 - d2) w2 + d3 w1
 *
 * so a tile of 2x2 outputs takes 25 multiplications instead of 36. Nothing but additions and subtractions of two or three
 * numbers goes before and after, so there is hardly more rounding than in the direct sum.
 */

const filter: LaneTransform = (lanes, [w0, w1, w2]) => [w0, lanes.add(w0, w2), w2, w1, w1]

/** The convolution and the gradient of its filters. */
export const strided: WinogradGradientVariant = {
  name: 'strided',
  outputs: 2,
  inputs: 5,
  size: 5,
  step: 2,
  input: (lanes, [d0, d1, d2, d3, d4]) => [lanes.sub(d0, d2), d2, lanes.sub(d4, d2), d1, d3],
  output: (lanes, [m0, m1, m2, m3, m4]) => [lanes.add(lanes.add(m0, m1), m3), lanes.add(lanes.add(m1, m2), m4)],
  outputAdjoint: (lanes, [y0, y1]) => [y0, lanes.add(y0, y1), y1, y0, y1],
  filter,
  filterAdjoint: (lanes, [m0, m1, m2, m3, m4]) => [lanes.add(m0, m1), lanes.add(m3, m4), lanes.add(m1, m2)],
}

/**
 * Its input gradient, where i counts from the padding on: with the filters turned round, (v0, v1, v2) = (w2, w1, w0),
 *
 *   dx[2i] = v0 dy[i - 1] + v2 dy[i]        dx[2i + 1] = v1 dy[i]
 *
 * A tile is four elements of dx from three of dy, and begins with an even or an odd element as the padding does.
 */
const stridedAdjoint = (padding: 'even' | 'odd'): WinogradVariant => ({
  name: `strided adjoint ${padding}`,
  outputs: 4,
  inputs: 3,
  size: 5,
  step: 1 / 2,
  input: (lanes, d) => {
    const single = padding === 'even' ? d.slice(1) : d.slice(0, 2)
    return [lanes.sub(d[0], d[1]), d[1], lanes.sub(d[2], d[1]), ...single]
  },
  output: (lanes, [m0, m1, m2, m3, m4]) => {
    const [first, second] = [lanes.add(m0, m1), lanes.add(m1, m2)]
    return padding === 'even' ? [first, m3, second, m4] : [m3, first, m4, second]
  },
  filter,
})

export const stridedAdjoints = { even: stridedAdjoint('even'), odd: stridedAdjoint('odd') }
