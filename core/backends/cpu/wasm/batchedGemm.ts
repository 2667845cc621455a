import type { Local, ModuleBuilder } from './assembler.ts'
import { buildGemm } from './gemm.ts'
import { buildGemmPack } from './gemmPack.ts'
import type { BuildOptions } from './link.ts'

/**
 * Emits `matmul<A packer><B packer>`: `batch` products of one block each in one call, since a call from JavaScript for
 * each of hundreds of tiny products would cost more than the products.
 *
 * Parameters, all i32: a, b, c, packedA, packedB, edge, rows, columns, k, lda, ldb (bytes between rows as stored), batch.
 */
export const buildBatchedGemm = (m: ModuleBuilder, options: BuildOptions): void => {
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
