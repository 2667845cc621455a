import type { Heap } from '../heap.ts'
import type { CpuArray, CpuKernel } from '../kernel.ts'
import { link } from './link.ts'
import { type Activation, buildNormalise } from './normalise.ts'

/** How the elements of x fall into sets and rows; steps in elements. See `NormShape`. */
export interface NormPlan {
  readonly images: number
  readonly sets: number
  readonly setStep: number
  readonly setParameterStep: number
  readonly rows: number
  readonly rowLength: number
  readonly rowStep: number
  /** 1 where each row of a set is a channel of its own, 0 where they all are the same one. */
  readonly rowParameterStep: 0 | 1
  readonly runs: number
  readonly runLength: number
}

export interface NormCall {
  readonly plan: NormPlan
  readonly epsilon: number
  readonly activation: Activation
}

/** Runs a kernel on x, weight, bias and, for the gradient, dy; the result, of x's shape, goes to the address `output`. */
const run = (
  heap: Heap,
  name: 'forward' | 'gradient',
  { plan: p, epsilon, activation }: NormCall,
  o: { readonly inputs: readonly CpuArray[]; readonly output: number; readonly sums: number },
): void => {
  const [x, weight, bias, dy] = o.inputs
  const kernels = link(heap, `normalise ${activation}`, (m, { fma }) => buildNormalise(m, fma, activation))
  const pointers = [x!.pointer, weight!.pointer, bias!.pointer, dy?.pointer ?? 0, o.output, o.sums]
  const sets = [p.images, p.sets, 4 * p.setStep, 4 * p.setParameterStep]
  const rows = [p.rows, p.rowLength, 4 * p.rowStep, 4 * p.rowParameterStep]
  kernels[name]!(...pointers, ...sets, ...rows, p.runs, p.runLength, epsilon)
}

/** dx, and the address in scratch memory of (Σ dz x̂, Σ dz) of each row, dz being the gradient at the affine image. */
const gradient = (heap: Heap, call: NormCall, inputs: readonly CpuArray[], output: number): number => {
  const { images, sets, rows } = call.plan
  const sums = heap.scratch(8 * images * sets * rows)
  run(heap, 'gradient', call, { inputs, output, sums })
  return sums
}

/** Adds the row sums by channel, images in order and in double precision: the gradients by weight, then those by bias. */
const addRows = (heap: Heap, { images, sets, rows, rowParameterStep }: NormPlan, o: { sums: number; target: number }): void => {
  const { f32 } = heap.view
  const [channels, count, step, channelStep] = rowParameterStep === 1 ? [sets * rows, images, sets * rows, 1] : [sets, rows, 1, rows]
  for (let c = 0; c < channels; c++) {
    let weight = 0
    let bias = 0
    for (let i = 0; i < count; i++) {
      const at = (o.sums >>> 2) + 2 * (c * channelStep + i * step)
      weight += f32[at]!
      bias += f32[at + 1]!
    }
    f32[(o.target >>> 2) + c] = weight
    f32[(o.target >>> 2) + channels + c] = bias
  }
}

/**
 * The kernels of a normalisation y = activation((x - mean) / sqrt(variance + epsilon) weight + bias), with mean and biased
 * variance over each set: `forward` of x, weight, bias; of these and dy `inputGrad`, the gradient by x, and `grad`, the
 * gradients by x, weight and bias one after the other. `callOf` divides x's shape, or returns undefined to decline.
 */
export const normKernels = <Attributes>(
  callOf: (shape: readonly number[], attributes: Attributes) => NormCall | undefined,
): Record<'forward' | 'inputGrad' | 'grad', CpuKernel<Attributes>> => {
  const kernel =
    (compute: (heap: Heap, call: NormCall, inputs: readonly CpuArray[], output: CpuArray) => void): CpuKernel<Attributes> =>
    (heap, inputs, output, attributes) => {
      if (inputs.some(a => a.dtype !== 'float32' || a.shape.includes(0))) return false
      const call = callOf(inputs[0]!.shape, attributes)
      if (call) compute(heap, call, inputs, output)
      return call !== undefined
    }
  return {
    forward: kernel((heap, call, inputs, output) => run(heap, 'forward', call, { inputs, output: output.pointer, sums: 0 })),
    inputGrad: kernel((heap, call, inputs, output) => void gradient(heap, call, inputs, output.pointer)),
    grad: kernel((heap, call, inputs, output) => {
      const sums = gradient(heap, call, inputs, output.pointer)
      const size = inputs[0]!.shape.reduce((product, n) => product * n, 1)
      addRows(heap, call.plan, { sums, target: output.pointer + 4 * size })
    }),
  }
}
