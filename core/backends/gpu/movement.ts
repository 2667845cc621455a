import type { ElementwiseAttributes } from '../../ops/elementwise.ts'
import type { PadAttributes } from '../../ops/pad.ts'
import type { SliceAttributes } from '../../ops/slice.ts'
import { sizeOf, stridesOf } from '../../shape.ts'
import type { Device, DeviceArray, GpuArray, GpuKernel } from './device.ts'
import { indexText, planGrid } from './grid.ts'
import { mapViews } from './map.ts'
import { mostInputs, viewAs } from './view.ts'

export const elementwise: GpuKernel<ElementwiseAttributes> = (device, inputs, output, { expr, params }) =>
  mapViews(
    device,
    output,
    inputs.map(x => viewAs(x, output)),
    expr,
    params,
  )

export const broadcastTo: GpuKernel<unknown> = (device, [x], output) => mapViews(device, output, [viewAs(x!, output)])

export const permute: GpuKernel<{ readonly axes: readonly number[] }> = (device, [x], output, { axes }) => {
  const strides = stridesOf(x!.shape)
  return mapViews(device, output, [{ values: x!.values, strides: axes.map(axis => strides[axis]!) }])
}

export const slice: GpuKernel<SliceAttributes> = (device, [x], output, { starts }) => {
  const strides = stridesOf(x!.shape)
  const offset = starts.reduce((total, start, i) => total + start * strides[i]!, 0)
  return mapViews(device, output, [{ values: x!.values, strides, offset }])
}

/** Every thread asks whether it lies within x and reads it only then. */
export const pad: GpuKernel<PadAttributes> = (device, [x], output, { before }) => {
  const grid = planGrid(output)
  if (!grid) return undefined
  const strides = stridesOf(x!.shape)
  const offset = before.reduce((total, n, i) => total - n * strides[i]!, 0)
  const inside = grid.coordinates.flatMap((c, i) =>
    output[i] === x!.shape[i] ? [] : [`${c} >= ${before[i]}`, `${c} < ${before[i]! + x!.shape[i]!}`],
  )
  const read = `value = x0[${indexText(grid.coordinates, strides, offset)}];`
  const body = `let value = 0.0;\n${inside.length > 0 ? `if (${inside.join(' && ')}) {\n${read}\n}` : read}\nreturn value;`
  return device.launch({ body, functions: [], grid: grid.threads }, [x!.values])
}

/** Arrays one after another along `axis`; every thread finds the array that its position falls into. */
export const concatArrays = (device: Device, inputs: readonly GpuArray[], axis: number): DeviceArray | undefined => {
  if (inputs.length > mostInputs) return undefined
  const lengths = inputs.map(({ shape }) => shape[axis]!)
  const total = lengths.reduce((sum, n) => sum + n, 0)
  const outer = sizeOf(inputs[0]!.shape.slice(0, axis))
  const inner = sizeOf(inputs[0]!.shape.slice(axis + 1))
  const sizes = [outer, total, inner]
  const { coordinates, threads } = planGrid(sizes)!
  let start = 0
  const branches = lengths.map((n, i) => {
    const from = start
    start += n
    const read = `value = x${i}[${indexText(coordinates, [n * inner, inner, 1], -from * inner)}];`
    return i === lengths.length - 1 ? `{ ${read} }` : `if (${coordinates[1]} < ${start}) { ${read} } else `
  })
  const body = `let value = 0.0;\n${branches.length === 1 ? branches[0]!.slice(2, -2) : branches.join('')}\nreturn value;`
  return device.launch(
    { body, functions: [], grid: threads },
    inputs.map(x => x.values),
  )
}

export const concat: GpuKernel<{ readonly axis: number }> = (device, inputs, _, { axis }) => concatArrays(device, inputs, axis)
