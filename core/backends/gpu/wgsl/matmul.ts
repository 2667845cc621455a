import type { MatmulAttributes } from '../../../ops/matmul.ts'
import { sizeOf } from '../../../shape.ts'
import { tiledProduct } from './tiledProduct.ts'
import type { WgslKernel } from './wgslKernel.ts'

/** Matrix product over the last two axes, either operand transposed on the way into workgroup memory. */
export const matmul: WgslKernel<MatmulAttributes> = (device, [a, b], output, { transposeA, transposeB }) => {
  const [m, n] = output.slice(-2) as [number, number]
  const k = a!.shape.at(transposeA ? -2 : -1)!
  const product = {
    batches: sizeOf(output.slice(0, -2)),
    m,
    n,
    k,
    left: `return x0[batch * dim.m * dim.k + ${transposeA ? 'k * dim.m + m' : 'm * dim.k + k'}];`,
    right: `return x1[batch * dim.k * dim.n + ${transposeB ? 'n * dim.k + k' : 'k * dim.n + n'}];`,
    leftAlongK: !transposeA,
    rightAlongK: transposeB,
    place: 'return batch * dim.m * dim.n + m * dim.n + n;',
  }
  return tiledProduct(device, product, [a!.values, b!.values])
}
