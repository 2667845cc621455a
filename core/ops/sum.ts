import { apply } from '../apply.ts'
import { type Choose, defineOp, type HostArray } from '../op.ts'
import { broadcastStrides, forEachIndex, normalizeAxes, type Shape, sameShape } from '../shape.ts'
import type { Tensor } from '../tensor.ts'
import { broadcastTo } from './broadcastTo.ts'
import { reshape } from './reshape.ts'

export interface ReduceAttributes {
  /** Sorted, distinct, non-negative. The reduced dimensions stay with length 1. */
  readonly axes: readonly number[]
}

export interface ReduceOptions {
  /** Default: all axes. Negative ones count from the end. */
  readonly axes?: readonly number[] | undefined
  /** Keep reduced dimensions with length 1. Default false. */
  readonly keepDims?: boolean
}

export const reducedShape = (shape: Shape, axes: readonly number[]): Shape => shape.map((length, i) => (axes.includes(i) ? 1 : length))

/** A reduction over `axes` of a freshly drawn shape, for the laws. */
export const reduceDomain = (choose: Choose) => {
  const shape = Array.from({ length: choose.integer(1, 4) }, () => choose.integer(1, 6))
  const axes = shape.map((_, i) => i).filter(() => choose.integer(0, 1) === 1)
  return { inputs: [{ shape }], attributes: { axes } }
}

/** output[reduced index] = step(output[reduced index], x[index]) over all elements in row-major order. */
export const accumulate = (x: HostArray, output: HostArray, start: number, step: (total: number, value: number) => number): void => {
  const totals = new Float64Array(output.values.length).fill(start)
  const strides = broadcastStrides(output.shape, x.shape)
  forEachIndex(x.shape, (index, position) => {
    let at = 0
    for (let d = 0; d < index.length; d++) at += index[d]! * strides[d]!
    totals[at] = step(totals[at]!, x.values[position]!)
  })
  output.values.set(totals)
}

const sumOp = defineOp<ReduceAttributes>({
  name: 'sum',
  shape: ([x], { axes }) => reducedShape(x!, axes),
  define: ([x], output) => accumulate(x!, output, 0, (total, value) => total + value),
  // Every summand has derivative 1.
  gradient: ({ inputs: [x], outputGradient }) => [() => broadcastTo(outputGradient, x!.shape)],
  domain: reduceDomain,
})

/** Runs a keep-dims reduction with the usual options. */
export const reduceWith = (x: Tensor, { axes, keepDims = false }: ReduceOptions, name: string, run: (axes: number[]) => Tensor): Tensor => {
  const all = axes === undefined ? x.shape.map((_, i) => i) : normalizeAxes(name, axes, x.rank)
  const result = run(all)
  return keepDims
    ? result
    : reshape(
        result,
        x.shape.filter((_, i) => !all.includes(i)),
      )
}

/** Sum over axes (default all). */
export const sum = (x: Tensor, options: ReduceOptions = {}): Tensor => reduceWith(x, options, 'sum', axes => apply(sumOp, [x], { axes }))

/** Arithmetic mean over axes (default all). */
export const mean = (x: Tensor, options: ReduceOptions = {}): Tensor => {
  const total = sum(x, options)
  return total.mul(total.size / x.size)
}

/** Sums the dimensions along which `shape` was stretched to x.shape: the adjoint of broadcasting. */
export const sumTo = (x: Tensor, shape: Shape): Tensor => {
  if (sameShape(x.shape, shape)) return x
  const skip = x.rank - shape.length
  const axes = x.shape.map((_, i) => i).filter(i => i < skip || (shape[i - skip] === 1 && x.shape[i] !== 1))
  return reshape(apply(sumOp, [x], { axes }), shape)
}
