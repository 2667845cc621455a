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
  const batches = sizeOf(output.slice(0, -2))
  const vectors = (input: number, count: number, set: string, along: boolean) => ({
    input,
    kept: [batches, count],
    strides: [count * k, along ? k : 1],
    length: k,
    step: along ? 1 : count,
    set,
  })
  const product = {
    batches,
    m,
    n,
    k,
    left: `return x0[${leftPlace}];`,
    right: `return x1[${rightPlace}];`,
    leftAlongK: !transposeA,
    rightAlongK: transposeB,
    leftVector: { input: 0, place: leftPlace },
    rightVector: { input: 1, place: rightPlace },
    leftRange: vectors(0, m, 'batch * dim.m + m', !transposeA),
    rightRange: vectors(1, n, 'batch * dim.n + n', transposeB),
    place: 'return batch * dim.m * dim.n + m * dim.n + n;',
  }
  return tiledProduct(device, product, [a!.values, b!.values])
}
