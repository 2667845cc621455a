import type { FunctionBuilder, Local } from './assembler.ts'

/**
 * The one-dimensional transforms of Winograd's F(4, 3): four outputs of a three-tap filter by six multiplications, as
 * y = A^T [(G w) * (B^T d)] (Winograd 1980; Lavin and Gray, arXiv 1509.09308). They come from interpolation at the points
 * 0, +-p, +-q, infinity. With p = sqrt(1/2), q = sqrt(2) the rounding error in float32 is about a fifth of that with the
 * usual 0, +-1, +-2, because the powers of the points that the matrices hold stay nearer to one.
 *
 *   B^T row 0:      p^2 q^2 d0 - (p^2 + q^2) d2 + d4           (row 5 the same from d1)
 *   B^T rows +-p:   (d4 - q^2 d2) +- p (d3 - q^2 d1)           (rows +-q with p and q exchanged)
 *   A^T row i:      sum over points t of t^i m(t), infinity adding to row 3
 *   G rows +-p:     (w0 +- p w1 + p^2 w2) / (2 p^2 (p^2 - q^2))  (+-q likewise), row 0: w0 / (p^2 q^2), row 5: w2
 */
export const p = Math.SQRT1_2
export const q = Math.SQRT2

/** Rows of a tile's transform, of its output and of the filter. */
export const transformSize = 6
export const outputSize = 4

const normP = 2 * p ** 2 * (p ** 2 - q ** 2)
const normQ = 2 * q ** 2 * (q ** 2 - p ** 2)
const pairs = [
  { first: 1, point: p, other: q, norm: normP },
  { first: 3, point: q, other: p, norm: normQ },
] as const

/** Exact where the square of a root is meant: p^2 q^2 = 1, p^2 = 1/2, q^2 = 2. */
const clean = (value: number) => (Math.abs(value * 12 - Math.round(value * 12)) < 1e-9 ? Math.round(value * 12) / 12 : value)

/** Arithmetic on vectors of four lanes, each lane its own tile (or channel). Constants live in locals set beforehand. */
export class LaneTransforms {
  private readonly constants = new Map<number, Local>()
  private readonly temporaries: readonly Local[]

  constructor(
    private readonly f: FunctionBuilder,
    private readonly fma: boolean,
    uses: readonly number[],
  ) {
    for (const value of uses.map(clean)) {
      if (this.constants.has(value)) continue
      const local = f.local('v128')
      f.f32x4(value).set(local)
      this.constants.set(value, local)
    }
    this.temporaries = f.locals('v128', 4)
  }

  private constant(value: number): Local {
    const local = this.constants.get(clean(value))
    if (!local) throw new Error(`winograd transform: the constant ${value} was not declared; add it to the uses`)
    return local
  }

  /** Pushes z + x * k. */
  private multiplyAdd(x: Local, k: number, z: Local): FunctionBuilder {
    const { f } = this
    if (clean(k) === 1) return f.get(z).get(x).simd('f32x4Add')
    if (this.fma) return f.get(x).get(this.constant(k)).get(z).simd('f32x4RelaxedMadd')
    return f.get(z).get(x).get(this.constant(k)).simd('f32x4Mul').simd('f32x4Add')
  }

  /** Pushes x * k. */
  private multiply(x: Local, k: number): FunctionBuilder {
    return clean(k) === 1 ? this.f.get(x) : this.f.get(x).get(this.constant(k)).simd('f32x4Mul')
  }

  /** sum = x + y, difference = x - y. */
  private butterfly(x: Local, y: Local, sum: Local, difference: Local): void {
    this.f.get(x).get(y).simd('f32x4Add').set(sum).get(x).get(y).simd('f32x4Sub').set(difference)
  }

  static readonly inputUses = [-(p ** 2 + q ** 2), ...pairs.flatMap(({ point, other }) => [-(other ** 2), point, -point])]

  /** out = B^T d. */
  input(d: readonly Local[], out: readonly Local[]): void {
    const [even, odd] = this.temporaries
    for (const { first, point, other } of pairs) {
      this.multiplyAdd(d[2], -(other ** 2), d[4]).set(even)
      this.multiplyAdd(d[1], -(other ** 2), d[3]).set(odd)
      this.multiplyAdd(odd, point, even).set(out[first])
      this.multiplyAdd(odd, -point, even).set(out[first + 1])
    }
    this.multiplyAdd(d[2], -(p ** 2 + q ** 2), d[4]).set(even)
    this.multiplyAdd(d[3], -(p ** 2 + q ** 2), d[5]).set(odd)
    this.f.get(d[0]).get(even).simd('f32x4Add').set(out[0])
    this.f.get(d[1]).get(odd).simd('f32x4Add').set(out[5])
  }

  static readonly outputUses = pairs.flatMap(({ point }) => [point, point ** 2, point ** 3])

  /** out = A^T m. */
  output(m: readonly Local[], out: readonly Local[]): void {
    const [sumP, differenceP, sumQ, differenceQ] = this.temporaries
    this.butterfly(m[1], m[2], sumP, differenceP)
    this.butterfly(m[3], m[4], sumQ, differenceQ)
    this.f.get(sumP).get(sumQ).simd('f32x4Add').get(m[0]).simd('f32x4Add').set(out[0])
    this.multiply(differenceP, p).set(out[1])
    this.multiplyAdd(differenceQ, q, out[1]).set(out[1])
    this.multiply(sumP, p ** 2).set(out[2])
    this.multiplyAdd(sumQ, q ** 2, out[2]).set(out[2])
    this.multiplyAdd(differenceP, p ** 3, m[5]).set(out[3])
    this.multiplyAdd(differenceQ, q ** 3, out[3]).set(out[3])
  }

  /** out = A y, the adjoint of `output`. */
  outputAdjoint(y: readonly Local[], out: readonly Local[]): void {
    const [even, odd] = this.temporaries
    this.f.get(y[0]).set(out[0]).get(y[3]).set(out[5])
    for (const { first, point } of pairs) {
      this.multiplyAdd(y[2], point ** 2, y[0]).set(even)
      this.multiply(y[1], point).set(odd)
      this.multiplyAdd(y[3], point ** 3, odd).set(odd)
      this.butterfly(even, odd, out[first], out[first + 1])
    }
  }

  static readonly filterUses = pairs.flatMap(({ point, norm }) => [1 / norm, point / norm, point ** 2 / norm])

  /** out = G w. */
  filter(w: readonly Local[], out: readonly Local[]): void {
    const [even, odd] = this.temporaries
    this.f.get(w[0]).set(out[0]).get(w[2]).set(out[5])
    for (const { first, point, norm } of pairs) {
      this.multiply(w[0], 1 / norm).set(even)
      this.multiplyAdd(w[2], point ** 2 / norm, even).set(even)
      this.multiply(w[1], point / norm).set(odd)
      this.butterfly(even, odd, out[first], out[first + 1])
    }
  }

  /** out = G^T m, the adjoint of `filter`. */
  filterAdjoint(m: readonly Local[], out: readonly Local[]): void {
    const [sumP, differenceP, sumQ, differenceQ] = this.temporaries
    this.butterfly(m[1], m[2], sumP, differenceP)
    this.butterfly(m[3], m[4], sumQ, differenceQ)
    this.multiplyAdd(sumP, 1 / normP, m[0]).set(out[0])
    this.multiplyAdd(sumQ, 1 / normQ, out[0]).set(out[0])
    this.multiply(differenceP, p / normP).set(out[1])
    this.multiplyAdd(differenceQ, q / normQ, out[1]).set(out[1])
    this.multiplyAdd(sumP, p ** 2 / normP, m[5]).set(out[2])
    this.multiplyAdd(sumQ, q ** 2 / normQ, out[2]).set(out[2])
  }
}
