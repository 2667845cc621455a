import type { Conv2dAttributes } from '../../ops/conv2d.ts'
import type { Conv2dInputGradAttributes } from '../../ops/conv2dInputGrad.ts'
import type { Conv2dWeightGradAttributes } from '../../ops/conv2dWeightGrad.ts'
import { type Shape, stridesOf } from '../../shape.ts'
import type { GpuKernel } from './device.ts'
import { indexText, planGrid, quotient } from './grid.ts'

/** `for (name < count) { body }` */
const loop = (name: string, count: number, body: string): string => `for (let ${name} = 0; ${name} < ${count}; ${name}++) {\n${body}\n}`

/** What the three kernels share: shapes of image, weight and result, and text for indices into them. */
const geometry = (x: Shape, w: Shape, y: Shape, { stride, padding, groups }: Conv2dAttributes) => ({
  perGroup: w[1]!,
  outPerGroup: y[1]! / groups,
  /** Where a tap of the kernel at an output position falls in the image. */
  row: (oy: string, ky: string): string => `(${oy} * ${stride[0]} + ${ky} - ${padding[0]})`,
  column: (ox: string, kx: string): string => `(${ox} * ${stride[1]} + ${kx} - ${padding[2]})`,
  xIndex: (...at: string[]): string => indexText(at, stridesOf(x)),
  wIndex: (...at: string[]): string => indexText(at, stridesOf(w)),
  yIndex: (...at: string[]): string => indexText(at, stridesOf(y)),
})

const within = (name: string, size: number): string => `${name} >= 0 && ${name} < ${size}`

/**
 * y: [B, Co, OH, OW] from x: [B, Ci, H, W], w: [Co, Ci / groups, kh, kw] and optionally bias: [Co]; a thread computes
 * bias[o] + sum over (c, k) of w[o, c, k] x[b, c, stride * p + k - padding]. Undefined when there are too many positions.
 */
export const conv2d: GpuKernel<Conv2dAttributes> = (device, [x, w, bias], output, attributes) => {
  const grid = planGrid(output)
  if (!grid) return undefined
  const g = geometry(x!.shape, w!.shape, output, attributes)
  const [b, o, oy, ox] = grid.coordinates as [string, string, string, string]
  const channel = attributes.groups === 1 ? 'c' : `(${quotient(o, g.outPerGroup)} * ${g.perGroup} + c)`
  const tap = `const column = ${g.column(ox, 'kx')};
if (${within('column', x!.shape[3]!)}) {
total += x0[${g.xIndex(b, channel, g.row(oy, 'ky'), g.column(ox, 'kx'))}] * x1[${g.wIndex(o, 'c', 'ky', 'kx')}];
}`
  const rows = `const row = ${g.row(oy, 'ky')};\nif (${within('row', x!.shape[2]!)}) {\n${loop('kx', w!.shape[3]!, tap)}\n}`
  const body = `let total = ${bias ? `x2[${o}]` : '0.0'};\n${loop('c', g.perGroup, loop('ky', w!.shape[2]!, rows))}\nreturn total;`
  return device.launch(
    { body, functions: [], grid: grid.threads },
    [x, w, bias].flatMap(array => (array ? [array.values] : [])),
  )
}

/** dx: [B, Ci, H, W] from dy: [B, Co, OH, OW] and w; a thread gathers what one pixel has contributed. */
export const conv2dInputGrad: GpuKernel<Conv2dInputGradAttributes> = (device, [dy, w], output, attributes) => {
  const grid = planGrid(output)
  if (!grid) return undefined
  const { stride, padding, groups } = attributes
  const g = geometry(output, w!.shape, dy!.shape, attributes)
  const [b, c, iy, ix] = grid.coordinates as [string, string, string, string]
  const group = groups === 1 ? '0' : quotient(c, g.perGroup)
  const out = groups === 1 ? 'o' : `(${group} * ${g.outPerGroup} + o)`
  const own = groups === 1 ? c : `(${c} - ${group} * ${g.perGroup})`
  const reached = { y: `(${iy} - ky + ${padding[0]})`, x: `(${ix} - kx + ${padding[2]})` }
  const [oy, ox] = [quotient(reached.y, stride[0]), quotient(reached.x, stride[1])]
  const [, , outHeight, outWidth] = dy!.shape as [number, number, number, number]
  const tap = `const column = ${ox};
if (${within('column', outWidth)} && column * ${stride[1]} === ${reached.x}) {
total += x0[${g.yIndex(b, out, oy, ox)}] * x1[${g.wIndex(out, own, 'ky', 'kx')}];
}`
  const rows = `const row = ${oy};
if (${within('row', outHeight)} && row * ${stride[0]} === ${reached.y}) {
${loop('kx', w!.shape[3]!, tap)}
}`
  const body = `let total = 0.0;\n${loop('o', g.outPerGroup, loop('ky', w!.shape[2]!, rows))}\nreturn total;`
  return device.launch({ body, functions: [], grid: grid.threads }, [dy!.values, w!.values])
}

/**
 * dw: [Co, Ci / groups, kh, kw] from x and dy; a thread sums over all images and positions, row by row, so that its rounding
 * error does not grow with their number.
 */
export const conv2dWeightGrad: GpuKernel<Conv2dWeightGradAttributes> = (device, [x, dy], output, attributes) => {
  const grid = planGrid(output)
  if (!grid) return undefined
  const g = geometry(x!.shape, output, dy!.shape, attributes)
  const [o, c, ky, kx] = grid.coordinates as [string, string, string, string]
  const channel = attributes.groups === 1 ? c : `(${quotient(o, g.outPerGroup)} * ${g.perGroup} + ${c})`
  const [batch, , outHeight, outWidth] = dy!.shape as [number, number, number, number]
  const tap = `const column = ${g.column('ox', kx)};
if (${within('column', x!.shape[3]!)}) {
line += x0[${g.xIndex('b', channel, g.row('oy', ky), g.column('ox', kx))}] * x1[${g.yIndex('b', o, 'oy', 'ox')}];
}`
  const rows = `const row = ${g.row('oy', ky)};
if (${within('row', x!.shape[2]!)}) {
let line = 0.0;
${loop('ox', outWidth, tap)}
image += line;
}`
  const images = `let image = 0.0;\n${loop('oy', outHeight, rows)}\ntotal += image;`
  return device.launch({ body: `let total = 0.0;\n${loop('b', batch, images)}\nreturn total;`, functions: [], grid: grid.threads }, [
    x!.values,
    dy!.values,
  ])
}
