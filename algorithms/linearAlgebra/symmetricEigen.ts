/** A real symmetric matrix is U diag(values) U^T. Matrices are row-major. */
export interface SymmetricEigen {
  /** In no particular order. */
  readonly values: Float64Array
  /** Column j of this n x n matrix is the unit eigenvector of `values[j]`. */
  readonly vectors: Float64Array
}

/** Sweeps converge quadratically; real matrices need about ten. */
const maximumSweeps = 60

/**
 * Eigenvalues and eigenvectors of a symmetric n x n matrix, by Jacobi's cyclic rotations in float64.
 *
 * A rotation by theta in the plane (p, q) with cot 2 theta = (a_qq - a_pp) / (2 a_pq) makes a_pq zero; sweeps over all pairs
 * go on until every off-diagonal element is below 2^-52 of the geometric mean of its diagonal elements, or of the largest element
 * times 2^-70 where these vanish. Singular matrices are no special case. O(n^3) per sweep: 64 takes milliseconds, 2,048 minutes.
 * Only the upper triangle is read. Throws RangeError on another number of elements, or on elements that are not finite.
 * Source: Golub and Van Loan, Matrix Computations, section 8.5.
 */
export const symmetricEigen = (matrix: ArrayLike<number>, n: number): SymmetricEigen => {
  if (matrix.length !== n * n || !Array.from(matrix).every(Number.isFinite)) {
    throw new RangeError(`symmetricEigen: needs ${n} x ${n} finite elements, got ${matrix.length}; check what the matrix was made of`)
  }
  const a = new Float64Array(n * n)
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) a[i * n + j] = matrix[Math.min(i, j) * n + Math.max(i, j)]!
  const vectors = new Float64Array(n * n)
  for (let i = 0; i < n; i++) vectors[i * n + i] = 1
  const negligible = a.reduce((top, value) => Math.max(top, Math.abs(value)), 0) * 2 ** -70

  for (let sweep = 0, rotated = true; rotated; sweep++) {
    if (sweep === maximumSweeps) throw new Error(`symmetricEigen: no convergence in ${maximumSweeps} sweeps; scale the matrix`)
    rotated = false
    for (let p = 0; p < n - 1; p++) {
      for (let q = p + 1; q < n; q++) {
        const [apq, app, aqq] = [a[p * n + q]!, a[p * n + p]!, a[q * n + q]!]
        if (Math.abs(apq) <= negligible + 2 ** -52 * Math.sqrt(Math.abs(app * aqq))) continue
        rotated = true
        const cot = (aqq - app) / (2 * apq)
        // The smaller root of t^2 + 2 t cot - 1 = 0: the rotation of at most 45 degrees.
        const t = (cot >= 0 ? 1 : -1) / (Math.abs(cot) + Math.hypot(cot, 1))
        const c = 1 / Math.hypot(t, 1)
        rotate(a, n, { p, q, c, s: t * c })
        a[p * n + p] = app - t * apq
        a[q * n + q] = aqq + t * apq
        a[p * n + q] = 0
        a[q * n + p] = 0
        rotateColumns(vectors, n, { p, q, c, s: t * c })
      }
    }
  }
  return { values: Float64Array.from({ length: n }, (_, i) => a[i * n + i]!), vectors }
}

interface Rotation {
  readonly p: number
  readonly q: number
  readonly c: number
  readonly s: number
}

/** Rows and columns p and q of a symmetric matrix, but for their four common elements. */
const rotate = (a: Float64Array, n: number, { p, q, c, s }: Rotation): void => {
  for (let k = 0; k < n; k++) {
    if (k === p || k === q) continue
    const [akp, akq] = [a[p * n + k]!, a[q * n + k]!]
    a[p * n + k] = c * akp - s * akq
    a[k * n + p] = a[p * n + k]!
    a[q * n + k] = s * akp + c * akq
    a[k * n + q] = a[q * n + k]!
  }
}

const rotateColumns = (u: Float64Array, n: number, { p, q, c, s }: Rotation): void => {
  for (let row = 0; row < n * n; row += n) {
    const [up, uq] = [u[row + p]!, u[row + q]!]
    u[row + p] = c * up - s * uq
    u[row + q] = s * up + c * uq
  }
}

/** U diag(f(values)) U^T: the function f of the matrix. */
export const symmetricFunction = ({ values, vectors }: SymmetricEigen, f: (value: number) => number): Float64Array => {
  const n = values.length
  const mapped = values.map(f)
  const result = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    for (let j = i; j < n; j++) {
      let total = 0
      for (let k = 0; k < n; k++) total += vectors[i * n + k]! * mapped[k]! * vectors[j * n + k]!
      result[i * n + j] = total
      result[j * n + i] = total
    }
  }
  return result
}

/** Product of two n x n matrices. */
export const multiply = (a: Float64Array, b: Float64Array, n: number): Float64Array => {
  const result = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < n; k++) {
      const factor = a[i * n + k]!
      if (factor === 0) continue
      for (let j = 0; j < n; j++) result[i * n + j]! += factor * b[k * n + j]!
    }
  }
  return result
}
