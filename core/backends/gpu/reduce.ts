import { emitGpu } from '../../expr/emitGpu.ts'
import { type Expr, input } from '../../expr/expr.ts'
import { type Shape, sizeOf, stridesOf } from '../../shape.ts'
import type { Device, DeviceArray, GpuArray, GpuKernel } from './device.ts'
import { counter, indexText, planGrid } from './grid.ts'
import { mapViews } from './map.ts'
import { collapse, mostInputs, type View } from './view.ts'
import * as wgsl from './wgsl/reduceViews.ts'
import { hasWgsl } from './wgsl/wgslKernel.ts'

/** A view whose elements are combined: `step` elements between neighbours along the reduced axis. */
export interface ReducedView extends View {
  readonly step: number
}

export interface Reduction {
  readonly combine: 'add' | 'max'
  /** The axes that stay, to which the views' strides belong. */
  readonly kept: Shape
  /** Number of elements that become one. */
  readonly length: number
  readonly views: readonly ReducedView[]
  /** What is combined, of the views' elements. Default: the first view's. */
  readonly expr?: Expr
}

/**
 * Most elements that one thread combines. Longer reductions take several passes: more threads work, and the rounding error
 * of a float32 sum grows with this and the number of passes instead of its length.
 */
const chunk = 256

const combined = { add: (total: string, x: string) => `${total} + ${x}`, max: (total: string, x: string) => `Math.max(${total}, ${x})` }

/** One pass: every thread combines `chunk` neighbours at most. The result has an innermost axis more where that leaves several. */
const reducePass = (device: Device, { combine, kept, length, views, expr = input(0) }: Reduction): DeviceArray | undefined => {
  const chunks = Math.ceil(length / chunk)
  const split = chunks > 1
  const shape = split ? [...kept, chunks] : kept
  const axes = split ? views.map(view => ({ ...view, strides: [...view.strides, view.step * chunk] })) : views
  // A view that is alike on every element must not hide where a chunk ends: the extra view tells the chunk's number.
  const chunkNumber: View = { values: { length: 0 }, strides: [...kept.map(() => 0), 1] }
  const collapsed = collapse(shape, split ? [...axes, chunkNumber] : axes)
  const grid = planGrid(collapsed.shape)
  if (!grid || views.length > mostInputs) return undefined
  const element = (i: number, k: string): string => {
    const at = indexText(grid.coordinates, collapsed.views[i]!.strides, collapsed.views[i]!.offset)
    const { step } = views[i]!
    return `x${i}[${at}${step === 0 || k === '0' ? '' : ` + ${counter(k)} * ${step}`}]`
  }
  const emit = (k: string, prefix: string) => emitGpu(expr, { input: i => element(i, k), param: i => `p${i}`, prefix })
  const [first, next] = [emit('0', 'a'), emit('k', 'v')]
  if (!first || !next) return undefined
  const loop = [...next.statements, `total = ${combined[combine]('total', next.result)};`].join('\n')
  const position = split ? indexText(grid.coordinates, collapsed.views.at(-1)!.strides) : ''
  const body = `${first.statements.join('\n')}
let total = ${first.result};
for (let k = 1; k < ${Math.min(chunk, length)}; k++) {
${split && length % chunk !== 0 ? `if ((${position}) * ${chunk} + ${counter('k')} < ${length}) {\n${loop}\n}` : loop}
}
return total;`
  return device.launch(
    { body, functions: next.functions, grid: grid.threads },
    views.map(view => view.values),
  )
}

/** Combines `length` elements into one for every index of `kept`, in as many passes as it takes; in WGSL where there is some. */
export const reduceViews = (device: Device, reduction: Reduction): DeviceArray | undefined => {
  if (hasWgsl(device) && reduction.views.length <= mostInputs) {
    const written = wgsl.reduceViews(device, reduction)
    if (written) return written
  }
  const partial = reducePass(device, reduction)
  const chunks = Math.ceil(reduction.length / chunk)
  if (!partial || chunks === 1) return partial
  const strides = stridesOf(reduction.kept).map(stride => stride * chunks)
  return reduceViews(device, { ...reduction, length: chunks, views: [{ values: partial, strides, step: 1 }], expr: input(0) })
}

/** Combines all elements along `axes`, one axis after the other, the innermost first; neighbours go together. */
export const reduceAxes = (device: Device, combine: 'add' | 'max', x: GpuArray, axes: readonly number[]): DeviceArray | undefined => {
  let { values, shape } = x
  let last = shape.length - 1
  while (true) {
    while (last >= 0 && !(axes.includes(last) && shape[last]! > 1)) last--
    if (last < 0) return values
    let first = last
    while (first > 0 && axes.includes(first - 1)) first--
    const [outer, length, inner] = [sizeOf(shape.slice(0, first)), sizeOf(shape.slice(first, last + 1)), sizeOf(shape.slice(last + 1))]
    const reduced = reduceViews(device, {
      combine,
      kept: [outer, inner],
      length,
      views: [{ values, strides: [length * inner, 1], step: inner }],
    })
    if (!reduced) return undefined
    values = reduced
    shape = shape.map((n, i) => (i >= first && i <= last ? 1 : n))
  }
}

type ReduceKernel = GpuKernel<{ readonly axes: readonly number[] }>

const kernel =
  (combine: 'add' | 'max'): ReduceKernel =>
  (device, [x], output, { axes }) => {
    const reduced = reduceAxes(device, combine, x!, axes)
    // Nothing to combine: still an array of its own.
    return reduced === x!.values ? mapViews(device, output, [{ values: reduced, strides: stridesOf(output) }]) : reduced
  }

export const sum: ReduceKernel = kernel('add')
export const max: ReduceKernel = kernel('max')
