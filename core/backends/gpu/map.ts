import { emitGpu } from '../../expr/emitGpu.ts'
import { type Expr, input } from '../../expr/expr.ts'
import type { Shape } from '../../shape.ts'
import type { Device, DeviceArray } from './device.ts'
import { indexText, planGrid } from './grid.ts'
import { collapse, mostInputs, type View } from './view.ts'
import { mostArguments } from './wgsl/indexing.ts'
import * as wgsl from './wgsl/mapViews.ts'
import { hasWgsl } from './wgsl/wgslKernel.ts'

/**
 * One element of the result per thread: `expr` (default: the first view itself, a copy) of the views' elements there.
 * In WGSL with sizes given at run time where the device has it, else by gpu.js with sizes as literals. Undefined when the views or
 * parameters are too many, the axes cannot be told apart or the expression cannot be written.
 */
export const mapViews = (
  device: Device,
  shape: Shape,
  views: readonly View[],
  expr: Expr = input(0),
  params: readonly number[] = [],
): DeviceArray | undefined => {
  if (views.length > mostInputs || params.length > mostArguments) return undefined
  const written = hasWgsl(device) ? wgsl.mapViews(device, { shape, views, expr, params }) : undefined
  if (written) return written
  const collapsed = collapse(shape, views)
  const grid = planGrid(collapsed.shape)
  const emitted = emitGpu(expr, {
    input: i => `x${i}[${indexText(grid?.coordinates ?? [], collapsed.views[i]!.strides, collapsed.views[i]!.offset)}]`,
    param: i => `p${i}`,
  })
  if (!grid || !emitted) return undefined
  const body = [...emitted.statements, `return ${emitted.result};`].join('\n')
  const program = { body, functions: emitted.functions, grid: grid.threads }
  return device.launch(
    program,
    views.map(view => view.values),
    params,
  )
}
