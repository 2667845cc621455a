import { sizeOf } from '../../../shape.ts'
import type { DeviceArray } from '../device.ts'
import { dispatchSets, type SetModules, setsText } from './sets.ts'
import type { WgslDevice, WgslKernel } from './wgslKernel.ts'

/** Threads of a row: one for a short row. */
const threadsFor = (n: number): 1 | 64 => (n < 32 ? 1 : 64)

const each = (threads: number, statement: string): string =>
  `for (var i = ${threads === 1 ? '0u' : 'lane'}; i < args.n; i += ${threads}u) { ${statement} }`

const softmaxText = (threads: number): SetModules =>
  setsText({
    inputs: 1,
    sizes: ['sets', 'n'],
    params: ['scale'],
    threads,
    withMaximum: true,
    functions: '',
    body: `let row = unit * args.n;
  var largest = x0[row];
  ${each(threads, 'largest = max(largest, x0[row + i]);')}
  let top = maximum(largest, lane);
  var total = 0.0;
  ${each(threads, 'total += exp(args.scale * (x0[row + i] - top));')}
  let inverse = 1.0 / sum(total, lane);
  ${each(threads, 'result[row + i] = exp(args.scale * (x0[row + i] - top)) * inverse;')}`,
  })

const gradText = (threads: number): SetModules =>
  setsText({
    inputs: 2,
    sizes: ['sets', 'n'],
    params: ['scale'],
    threads,
    functions: '',
    body: `let row = unit * args.n;
  var total = 0.0;
  ${each(threads, 'total += x0[row + i] * x1[row + i];')}
  let dot = sum(total, lane);
  ${each(threads, 'result[row + i] = args.scale * x0[row + i] * (x1[row + i] - dot);')}`,
  })

const texts = {
  softmax: { 1: softmaxText(1), 64: softmaxText(64) },
  grad: { 1: gradText(1), 64: gradText(64) },
}

interface Rows {
  readonly rows: number
  readonly n: number
  /** The positive number that multiplies what softmax is taken of. Default 1. */
  readonly scale?: number
}

const rowsDispatch =
  (name: keyof typeof texts) =>
  (device: WgslDevice, inputs: readonly DeviceArray[], { rows, n, scale = 1 }: Rows): DeviceArray => {
    const threads = threadsFor(n)
    return dispatchSets(device, texts[name][threads], { sets: rows, threads, inputs, length: rows * n, sizes: [rows, n], params: [scale] })
  }

/** softmax(scale x) of rows of length n. */
export const softmaxRows = rowsDispatch('softmax')

/** From y = softmax(scale x) and dy, dx = scale y (dy - <y, dy>), of rows of length n. */
export const softmaxGradRows = rowsDispatch('grad')

const along = (shape: readonly number[]): Rows => ({ rows: sizeOf(shape.slice(0, -1)), n: shape.at(-1)! })

export const softmax: WgslKernel<null> = (device, [x]) => softmaxRows(device, [x!.values], along(x!.shape))

export const softmaxInputGrad: WgslKernel<null> = (device, [y, dy]) => softmaxGradRows(device, [y!.values, dy!.values], along(y!.shape))
