import type { Heap } from './heap.ts'
import type { CpuKernel } from './kernel.ts'
import type { Local, ModuleBuilder } from './wasm/assembler.ts'
import { buildGemm, edgeBytes } from './wasm/gemm.ts'
import { buildGemmPack } from './wasm/gemmPack.ts'
import { type BuildOptions, link } from './wasm/link.ts'

export interface MatmulAttributes {
  readonly transposeA: boolean
  readonly transposeB: boolean
}

/** Block sizes: 128 rows of A (128 KiB packed) stay in the second-level cache while panels of B (8 KiB) pass by. */
const blockRows = 128
const blockColumns = 1024
const blockK = 256

/**
 * Emits `matmul<A packer><B packer>`: `batch` products of one block each in one call, since a call from JavaScript for
 * each of hundreds of tiny products would cost more than the products.
 *
 * Parameters, all i32: a, b, c, packedA, packedB, edge, rows, columns, k, lda, ldb (bytes between rows as stored), batch.
 */
const buildMatmul = (m: ModuleBuilder, options: BuildOptions): void => {
  const { gemm } = buildGemm(m, options)
  const pack = buildGemmPack(m)
  for (const packerA of ['Lanes', 'Transposed'] as const) {
    for (const packerB of ['Lanes', 'Transposed'] as const) {
      m.function(
        `matmul${packerA}${packerB}`,
        Array.from({ length: 12 }, () => 'i32' as const),
        (f, a, b, c, packedA, packedB, edge, rows, columns, k, lda, ldb, batch) => {
          const times = (value: Local, factor: number) => f.get(value).i32(factor).op('i32Mul')
          const advance = (pointer: Local, count: Local, other: Local) =>
            times(count, 4).get(other).op('i32Mul').get(pointer).op('i32Add').set(pointer)
          f.loop(() => {
            f.get(packedA).get(a).get(rows).get(k).get(lda).call(pack[`a${packerA}`])
            f.get(packedB).get(b).get(columns).get(k).get(ldb).call(pack[`b${packerB}`])
            f.get(packedA).get(packedB).get(c).get(rows).get(columns).get(k)
            times(k, 16)
            times(k, 32)
            f.i32(32)
            times(columns, 4)
            f.i32(0).get(edge).i32(1).i32(0).i32(0).i32(0).call(gemm)
            advance(a, rows, k)
            advance(b, columns, k)
            advance(c, rows, columns)
            f.get(batch).i32(1).op('i32Sub').tee(batch).branchIf(0)
          })
        },
      )
    }
  }
}

const product = (sizes: readonly number[]): number => sizes.reduce((total, size) => total * size, 1)

interface Product {
  readonly a: number
  readonly b: number
  readonly c: number
  readonly rows: number
  readonly columns: number
  readonly k: number
}

/** One product of any size, block by block; k outside the rows, so that each panel of B is packed once. */
const blockedProduct = (heap: Heap, { a, b, c, rows, columns, k }: Product, { transposeA, transposeB }: MatmulAttributes): void => {
  const wasm = link(heap, 'matmul', buildMatmul)
  const packedA = heap.scratch(edgeBytes + 4 * blockK * (blockRows + blockColumns))
  const packedB = packedA + 4 * blockK * blockRows
  const edge = packedB + 4 * blockK * blockColumns
  for (let j = 0; j < columns; j += blockColumns) {
    const width = Math.min(blockColumns, columns - j)
    for (let p = 0; p < k; p += blockK) {
      const depth = Math.min(blockK, k - p)
      if (transposeB) wasm.packTransposed8(packedB, b + 4 * (j * k + p), width, depth, 4 * k)
      else wasm.packLanes8(packedB, b + 4 * (p * columns + j), width, depth, 4 * columns)
      for (let i = 0; i < rows; i += blockRows) {
        const height = Math.min(blockRows, rows - i)
        if (transposeA) wasm.packLanes4(packedA, a + 4 * (p * rows + i), height, depth, 4 * rows)
        else wasm.packTransposed4(packedA, a + 4 * (i * k + p), height, depth, 4 * k)
        const at = c + 4 * (i * columns + j)
        wasm.gemm(packedA, packedB, at, height, width, depth, 16 * depth, 32 * depth, 32, 4 * columns, p > 0 ? 1 : 0, edge, 1, 0, 0, 0)
      }
    }
  }
}

/**
 * Matrix product of the last two axes: `a: [..., M, K]` (or `[..., K, M]` when `transposeA`) times `b: [..., K, N]` (or
 * `[..., N, K]` when `transposeB`), leading axes equal, into `[..., M, N]`. The sum over k runs in blocks of 256 in order,
 * the same for every element whatever the other sizes.
 */
export const matmul: CpuKernel<MatmulAttributes> = (heap, [a, b], output, attributes) => {
  const [rows, columns] = output.shape.slice(-2)
  const k = a.shape[a.shape.length - (attributes.transposeA ? 2 : 1)]
  const batch = product(output.shape.slice(0, -2))
  if (k === 0) heap.f32(output.pointer, product(output.shape)).fill(0)
  if (k === 0 || rows * columns * batch === 0) return true
  if (rows > blockRows || columns > blockColumns || k > blockK) {
    for (let i = 0; i < batch; i++) {
      const at = { a: a.pointer + 4 * i * rows * k, b: b.pointer + 4 * i * k * columns, c: output.pointer + 4 * i * rows * columns }
      blockedProduct(heap, { ...at, rows, columns, k }, attributes)
    }
    return true
  }
  const wasm = link(heap, 'matmul', buildMatmul)
  const bytesA = 16 * k * Math.ceil(rows / 4)
  const bytesB = 32 * k * Math.ceil(columns / 8)
  const packedA = heap.scratch(bytesA + bytesB + edgeBytes)
  const name = `matmul${attributes.transposeA ? 'Lanes' : 'Transposed'}${attributes.transposeB ? 'Transposed' : 'Lanes'}`
  const lda = 4 * (attributes.transposeA ? rows : k)
  const ldb = 4 * (attributes.transposeB ? k : columns)
  const packedB = packedA + bytesA
  wasm[name](a.pointer, b.pointer, output.pointer, packedA, packedB, packedB + bytesB, rows, columns, k, lda, ldb, batch)
  return true
}
