import type { MatmulAttributes } from '../../ops/matmul.ts'
import { sizeOf } from '../../shape.ts'
import type { GpuKernel } from './device.ts'
import { areCountable, counter, indexText, planGrid } from './grid.ts'

/**
 * Matrix product over the last two axes, leading axes equal: `a: [..., M, K]` (or `[..., K, M]` when `transposeA`) times
 * `b: [..., K, N]` (or `[..., N, K]` when `transposeB`). A thread computes one element, the sum over k in order.
 */
export const matmul: GpuKernel<MatmulAttributes> = (device, [a, b], output, { transposeA, transposeB }) => {
  const [m, n] = output.slice(-2) as [number, number]
  const k = a!.shape.at(transposeA ? -2 : -1)!
  if (!areCountable(k)) return undefined
  const { threads, coordinates } = planGrid([sizeOf(output.slice(0, -2)), m, n])!
  const [batch, row, column] = coordinates as [string, string, string]
  const left = indexText([batch, row, counter('k')], transposeA ? [m * k, 1, m] : [m * k, k, 1])
  const right = indexText([batch, column, counter('k')], transposeB ? [k * n, k, 1] : [k * n, 1, n])
  const body = `let total = 0.0;
for (let k = 0; k < ${k}; k++) {
total += x0[${left}] * x1[${right}];
}
return total;`
  return device.launch({ body, functions: [], grid: threads }, [a!.values, b!.values])
}
