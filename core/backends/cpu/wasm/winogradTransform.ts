import type { Local } from './assembler.ts'
import type { Lanes } from './lanes.ts'

/**
 * The one-dimensional transforms of Winograd's F(m, 3): m outputs of a three-tap filter by m + 2 multiplications, as
 * y = A^T [(G w) * (B^T d)] (Winograd 1980; Lavin and Gray, arXiv 1509.09308). They interpolate at 0, at pairs of points
 * +-t, and at infinity, N(t) being the product of t's differences to the other finite points:
 *
 *   B^T row t:         coefficients of the product of (x - s) over the other finite points s (infinity: over all of them)
 *   A row t, G row t:  [1, t, t^2, ...] and [1, t, t^2] / N(t)    (0: [1, 0, ...]; infinity: [..., 0, 1])
 */
interface Interpolation {
  /** The positive points of the pairs. */
  readonly points: readonly number[]
  /** m. */
  readonly outputs: number
  /** m + 2. */
  readonly size: number
}

export type LaneTransform = (lanes: Lanes, x: readonly Local[]) => Local[]

/** What a convolution with 3x3 filters needs of a way to compute it by tiles; the transforms are code for four lanes, each its own tile. */
export interface WinogradVariant {
  /** Unique: compiled code and tables are kept by it. */
  readonly name: string
  /** Outputs, inputs and frequencies of a tile along one axis. */
  readonly outputs: number
  readonly inputs: number
  readonly size: number
  /** By how many inputs the tile moves with every output: the stride, or for the gradient of a strided convolution its inverse. */
  readonly step: number
  /** B^T d: `size` values from `inputs`. */
  readonly input: LaneTransform
  /** A^T m: `outputs` values from `size`. */
  readonly output: LaneTransform
  /** G w: `size` values from three. */
  readonly filter: LaneTransform
}

/** A variant that also has the adjoints of which the gradient of the filters is made; there lanes are channels. */
export interface WinogradGradientVariant extends WinogradVariant {
  /** A y, the adjoint of `output`. */
  readonly outputAdjoint: LaneTransform
  /** G^T m, the adjoint of `filter`. */
  readonly filterAdjoint: LaneTransform
}

/** A matrix by its rows: of the point 0, of each pair +-t (`even` +- t `odd`, by column), and of infinity. */
interface PointMatrix {
  readonly zero: readonly number[]
  readonly pairs: readonly { readonly t: number; readonly even: readonly number[]; readonly odd: readonly number[] }[]
  readonly infinity: readonly number[]
}

/** Exact where the square of a root is meant: twelfths. */
const clean = (value: number) => (Math.abs(value * 12 - Math.round(value * 12)) < 1e-9 ? Math.round(value * 12) / 12 : value)

/** Coefficients of the product of (x^2 - t^2), lowest power first, after multiplication with x^shift; `length` of them. */
const evenPolynomial = (points: readonly number[], shift: number, length: number): number[] => {
  let coefficients = [1]
  for (const t of points) coefficients = [0, 0, ...coefficients].map((c, i) => clean(c - t * t * (coefficients[i] ?? 0)))
  return Array.from({ length }, (_, i) => coefficients[i - shift] ?? 0)
}

const unit = (length: number, at: number) => Array.from({ length }, (_, i) => (i === at ? 1 : 0))

/** B^T. Row 0 has the sign that makes its N(0) one: the points' squares multiply to one. */
const inputMatrix = ({ points, size }: Interpolation): PointMatrix => {
  const sign = points.length % 2 === 0 ? 1 : -1
  return {
    zero: evenPolynomial(points, 0, size).map(c => sign * c),
    pairs: points.map(t => {
      const others = points.filter(s => s !== t)
      return { t, even: evenPolynomial(others, 2, size), odd: evenPolynomial(others, 1, size) }
    }),
    infinity: evenPolynomial(points, 1, size),
  }
}

/** A or, divided by the norms, G: powers of the points in `columns` columns. */
const powerMatrix = ({ points }: Interpolation, columns: number, norm: (t: number) => number): PointMatrix => ({
  zero: unit(columns, 0),
  pairs: points.map(t => ({
    t,
    even: Array.from({ length: columns }, (_, i) => (i % 2 === 0 ? clean(t ** i / norm(t)) : 0)),
    odd: Array.from({ length: columns }, (_, i) => (i % 2 === 1 ? clean(t ** (i - 1) / norm(t)) : 0)),
  })),
  infinity: unit(columns, columns - 1),
})

/** N(t) = t * 2t * product of (t^2 - s^2) over the other pairs. */
const normOf = (points: readonly number[], t: number) =>
  points.filter(s => s !== t).reduce((product, s) => product * (t * t - s * s), 2 * t * t)

type Term = readonly [coefficient: number, x: Local]

/** The sum of coefficient times x; coefficients of one cost an addition only. */
const combine = (lanes: Lanes, terms: readonly Term[]): Local => {
  const used = terms.filter(([k]) => k !== 0)
  const start = Math.max(
    0,
    used.findIndex(([k]) => k === 1),
  )
  const [k0, x0] = used[start]
  let total = k0 === 1 ? x0 : lanes.mul(x0, lanes.constant(k0))
  used.forEach(([k, x], i) => {
    if (i === start) return
    if (k === 1) total = lanes.add(total, x)
    else if (k === -1) total = lanes.sub(total, x)
    else total = lanes.mulAdd(x, lanes.constant(k), total)
  })
  return total
}

/** M x: the parts of a pair of rows that are even and odd in the point are computed once. */
const byRows = (lanes: Lanes, matrix: PointMatrix, x: readonly Local[]): Local[] => {
  const row = (coefficients: readonly number[]) =>
    combine(
      lanes,
      coefficients.map((k, i) => [k, x[i]]),
    )
  const pairs = matrix.pairs.flatMap(({ t, even, odd }) => {
    const columns = odd.flatMap((k, i) => (k === 0 ? [] : [i]))
    const single = columns.length === 1
    const [scale, o] = single ? [t * odd[columns[0]], x[columns[0]]] : [t, row(odd)]
    const e = row(even)
    return [combine(lanes, [[1, e], [scale, o]]), combine(lanes, [[1, e], [-scale, o]])] // biome-ignore format: the pair
  })
  return [row(matrix.zero), ...pairs, row(matrix.infinity)]
}

/** M^T x: the sum of a pair goes to the even rows of the result, its difference to the odd ones. */
const byColumns = (lanes: Lanes, matrix: PointMatrix, x: readonly Local[]): Local[] => {
  const folded = matrix.pairs.map((_, i) => ({
    sum: lanes.add(x[2 * i + 1], x[2 * i + 2]),
    difference: lanes.sub(x[2 * i + 1], x[2 * i + 2]),
  }))
  return matrix.zero.map((k, column) =>
    combine(lanes, [
      [k, x[0]],
      [matrix.infinity[column], x[x.length - 1]],
      ...matrix.pairs.flatMap<Term>(({ t, even, odd }, i) => [
        [even[column], folded[i].sum],
        [t * odd[column], folded[i].difference],
      ]),
    ]),
  )
}

const interpolating = (name: string, interpolation: Interpolation): WinogradGradientVariant => {
  const { points, outputs, size } = interpolation
  const b = inputMatrix(interpolation)
  const a = powerMatrix(interpolation, outputs, () => 1)
  const g = powerMatrix(interpolation, 3, t => normOf(points, t))
  return {
    name,
    outputs,
    inputs: size,
    size,
    step: 1,
    input: (lanes, d) => byRows(lanes, b, d),
    output: (lanes, m) => byColumns(lanes, a, m),
    outputAdjoint: (lanes, y) => byRows(lanes, a, y),
    filter: (lanes, w) => byRows(lanes, g, w),
    filterAdjoint: (lanes, m) => byColumns(lanes, g, m),
  }
}

/**
 * F(4, 3). With the points sqrt(1/2) and sqrt(2) the rounding error in float32 is about a fifth of that with the usual 1
 * and 2, because the powers of the points that the matrices hold stay nearer to one.
 */
export const F4 = interpolating('F4', { points: [Math.SQRT1_2, Math.SQRT2], outputs: 4, size: 6 })

/** F(2, 3): fewer savings, but no multiplication in the transforms of the tiles, so hardly more rounding than the direct sum. */
export const F2 = interpolating('F2', { points: [1], outputs: 2, size: 4 })
