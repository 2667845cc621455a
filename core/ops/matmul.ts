import { apply } from '../apply.ts'
import { defineOp } from '../op.ts'
import { broadcastShapes, formatShape, type Shape, ShapeError, sizeOf } from '../shape.ts'
import type { Tensor } from '../tensor.ts'
import { broadcastTo } from './broadcastTo.ts'
import { reshape } from './reshape.ts'

export interface MatmulAttributes {
  /** Whether an operand is given with its last two dimensions exchanged. */
  readonly transposeA: boolean
  readonly transposeB: boolean
}

const lastTwo = (shape: Shape, transposed: boolean): [number, number] => {
  const [rows, columns] = shape.slice(-2) as [number, number]
  return transposed ? [columns, rows] : [rows, columns]
}

const matmulOp = defineOp<MatmulAttributes>({
  name: 'matmul',
  shape: ([a, b], { transposeA, transposeB }) => {
    if (a!.length < 2 || b!.length < 2) {
      throw new ShapeError(`matmul: operands need rank 2 or more, got ${formatShape(a!)} and ${formatShape(b!)}; reshape them`)
    }
    const [m, k] = lastTwo(a!, transposeA)
    const [k2, n] = lastTwo(b!, transposeB)
    if (k !== k2) {
      throw new ShapeError(`matmul: inner dimensions differ, got a ${formatShape(a!)} and b ${formatShape(b!)}; transpose one of them`)
    }
    if (a!.slice(0, -2).join() !== b!.slice(0, -2).join()) {
      throw new ShapeError(`matmul: batch dimensions differ, got a ${formatShape(a!)} and b ${formatShape(b!)}; broadcast one of them`)
    }
    return [...a!.slice(0, -2), m, n]
  },
  define: ([a, b], output, { transposeA, transposeB }) => {
    const [m, k] = lastTwo(a!.shape, transposeA)
    const n = lastTwo(b!.shape, transposeB)[1]
    const batches = sizeOf(a!.shape.slice(0, -2))
    const at = (transposed: boolean, rows: number, columns: number) => (i: number, j: number) =>
      transposed ? j * rows + i : i * columns + j
    const ia = at(transposeA, m, k)
    const ib = at(transposeB, k, n)
    for (let batch = 0; batch < batches; batch++) {
      for (let i = 0; i < m; i++) {
        for (let j = 0; j < n; j++) {
          let total = 0
          for (let l = 0; l < k; l++) total += a!.values[batch * m * k + ia(i, l)]! * b!.values[batch * k * n + ib(l, j)]!
          output.values[batch * m * n + i * n + j] = total
        }
      }
    }
  },
  // C = A B: dA = dC B^T and dB = A^T dC; a transposed operand gets the transpose of that.
  gradient: ({ inputs: [a, b], attributes: { transposeA, transposeB }, outputGradient: dc }) => [
    () => (transposeA ? product(b!, dc, transposeB, true) : product(dc, b!, false, !transposeB)),
    () => (transposeB ? product(dc, a!, true, transposeA) : product(a!, dc, !transposeA, false)),
  ],
  domain: choose => {
    const batch = Array.from({ length: choose.integer(0, 2) }, () => choose.integer(1, 3))
    const [m, k, n] = [choose.integer(1, 7), choose.integer(1, 9), choose.integer(1, 11)]
    const attributes = { transposeA: choose.integer(0, 1) === 1, transposeB: choose.integer(0, 1) === 1 }
    const a = attributes.transposeA ? [k, m] : [m, k]
    const b = attributes.transposeB ? [n, k] : [k, n]
    return { inputs: [{ shape: [...batch, ...a] }, { shape: [...batch, ...b] }], attributes }
  },
})

const product = (a: Tensor, b: Tensor, transposeA: boolean, transposeB: boolean): Tensor =>
  apply(matmulOp, [a, b], { transposeA, transposeB })

/**
 * Matrix product over the last two dimensions, `[..., m, k] x [..., k, n] -> [..., m, n]`; leading dimensions broadcast.
 * With `transposeA` a is given as `[..., k, m]`, with `transposeB` b as `[..., n, k]`.
 */
export const matmul = (a: Tensor, b: Tensor, { transposeA = false, transposeB = false }: Partial<MatmulAttributes> = {}): Tensor => {
  if (a.rank > 2 && b.rank === 2 && !transposeA) {
    const rows = sizeOf(a.shape.slice(0, -1))
    const flat = product(reshape(a, [rows, a.shape[a.rank - 1]!]), b, false, transposeB)
    return reshape(flat, [...a.shape.slice(0, -1), flat.shape[1]!])
  }
  if (a.rank < 2 || b.rank < 2) return product(a, b, transposeA, transposeB)
  const batch = broadcastShapes('matmul', a.shape.slice(0, -2), b.shape.slice(0, -2))
  return product(broadcastTo(a, [...batch, ...a.shape.slice(-2)]), broadcastTo(b, [...batch, ...b.shape.slice(-2)]), transposeA, transposeB)
}
