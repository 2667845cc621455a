import { div, exp, input, mul, sub } from '../../expr/expr.ts'
import { sizeOf } from '../../shape.ts'
import type { GpuArray, GpuKernel } from './device.ts'
import { mapViews } from './map.ts'
import { reduceViews } from './reduce.ts'
import type { View } from './view.ts'

/** An array as rows along its last axis, to be mapped over [rows, n] or reduced along n. */
const rowsOf = ({ values, shape }: GpuArray) => {
  const n = shape.at(-1)!
  return { n, rows: sizeOf(shape) / n, map: { values, strides: [n, 1] }, reduce: { values, strides: [n], step: 1 } }
}

/** exp(x - top) / sum of exp(x - top), `top` the largest of the row. */
export const softmax: GpuKernel<null> = (device, [x]) => {
  const { n, rows, map, reduce } = rowsOf(x!)
  const kept = [rows]
  const top = reduceViews(device, { combine: 'max', kept, length: n, views: [reduce] })!
  const shifted = exp(sub(input(0), input(1)))
  const total = reduceViews(device, {
    combine: 'add',
    kept,
    length: n,
    views: [reduce, { values: top, strides: [1], step: 0 }],
    expr: shifted,
  })!
  const perRow = [top, total].map((values): View => ({ values, strides: [1, 0] }))
  return mapViews(device, [rows, n], [map, ...perRow], div(shifted, input(2)))
}

/** y (dy - <y, dy>) along the last axis. */
export const softmaxInputGrad: GpuKernel<null> = (device, [y, dy]) => {
  const [a, b] = [rowsOf(y!), rowsOf(dy!)]
  const { n, rows } = a
  const dot = reduceViews(device, { combine: 'add', kept: [rows], length: n, views: [a.reduce, b.reduce], expr: mul(input(0), input(1)) })!
  return mapViews(device, [rows, n], [a.map, b.map, { values: dot, strides: [1, 0] }], mul(input(0), sub(input(1), input(2))))
}
