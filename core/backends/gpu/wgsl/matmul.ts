import type { MatmulAttributes } from '../../../ops/matmul.ts'
import { sizeOf } from '../../../shape.ts'
import { tiledProduct } from './tiledProduct.ts'
import type { WgslKernel } from './wgslKernel.ts'

/** Matrix product over the last two axes, either operand transposed on the way into workgroup memory. */
export const matmul: WgslKernel<MatmulAttributes> = (device, [a, b], output, { transposeA, transposeB }) => {
  const [m, n] = output.slice(-2) as [number, number]
  const k = a!.shape.at(transposeA ? -2 : -1)!
  const leftPlace = `batch * dim.m * dim.k + ${transposeA ? 'k * dim.m + m' : 'm * dim.k + k'}`
  const rightPlace = `batch * dim.k * dim.n + ${transposeB ? 'n * dim.k + k' : 'k * dim.n + n'}`
  const product = {
    batches: sizeOf(output.slice(0, -2)),
    m,
    n,
    k,
    left: `return x0[${leftPlace}];`,
    right: `return x1[${rightPlace}];`,
    leftAlongK: !transposeA,
    rightAlongK: transposeB,
    leftVector: { input: 0, place: leftPlace },
    rightVector: { input: 1, place: rightPlace },
    place: 'return batch * dim.m * dim.n + m * dim.n + n;',
  }
  return tiledProduct(device, product, [a!.values, b!.values])
}
