import type { Heap } from '../heap.ts'
import type { CpuArray, CpuKernel } from '../kernel.ts'
import { divide, onThreads } from '../threads/onThreads.ts'
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

/** About how many nanoseconds one thread takes for an element. */
const elementTime = { forward: { none: 0.4, relu: 0.4, silu: 1.3 }, gradient: { none: 0.8, relu: 0.8, silu: 2.1 } }

/** Sets, numbered through all images, as runs of one call each: a part of an image, or whole images. */
const runsOf = (first: number, end: number, perImage: number): { first: number; images: number; sets: number }[] => {
  if (first === end) return []
  const set = first % perImage
  const images = set === 0 ? Math.floor((end - first) / perImage) : 0
  const run = images > 0 ? { first, images, sets: perImage } : { first, images: 1, sets: Math.min(perImage - set, end - first) }
  return [run, ...runsOf(first + run.images * run.sets, end, perImage)]
}

/**
 * Runs a kernel on x, weight, bias and, for the gradient, dy; the result, of x's shape, goes to the address `output`. Sets
 * are the units of work.
 */
const run = (
  heap: Heap,
  name: 'forward' | 'gradient',
  { plan: p, epsilon, activation }: NormCall,
  o: { readonly inputs: readonly CpuArray[]; readonly output: number; readonly sums: number },
): void => {
  const [x, weight, bias, dy] = o.inputs
  const wasm = link(heap, `normalise ${activation}`, (m, { fma }) => buildNormalise(m, fma, activation))
  const steps = [4 * p.setStep, 4 * p.setParameterStep]
  const rows = [p.rows, p.rowLength, 4 * p.rowStep, 4 * p.rowParameterStep]
  const sets = p.images * p.sets
  const nanoseconds = sets * p.rows * p.rowLength * elementTime[name][activation]
  onThreads(wasm, divide(heap, { units: sets, nanoseconds, isLast: true }), (wasm, { first, end }) => {
    for (const run of runsOf(first, end, p.sets)) {
      const data = steps[0] * run.first
      const parameters = steps[1] * (run.first % p.sets)
      const inputs = [x.pointer + data, weight.pointer + parameters, bias.pointer + parameters, (dy?.pointer ?? 0) + data]
      const outputs = [o.output + data, o.sums + 8 * p.rows * run.first]
      wasm[name](...inputs, ...outputs, run.images, run.sets, ...steps, ...rows, p.runs, p.runLength, epsilon)
    }
  })
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
