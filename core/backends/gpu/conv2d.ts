import type { Conv2dAttributes } from '../../ops/conv2d.ts'
import type { Conv2dInputGradAttributes } from '../../ops/conv2dInputGrad.ts'
import type { Conv2dWeightGradAttributes } from '../../ops/conv2dWeightGrad.ts'
import { type Shape, stridesOf } from '../../shape.ts'
import type { GpuKernel } from './device.ts'
import { areCountable, counter, indexText, planGrid, quotient } from './grid.ts'

/** Source text of a loop over 0 <= name < count, whose body gets the counter as an integer expression. */
const loop = (name: string, count: number, body: (counter: string) => string): string =>
  `for (let ${name} = 0; ${name} < ${count}; ${name}++) {\n${body(counter(name))}\n}`

/** Runs `text` where `position`, kept in a variable `name`, lies in [0, size). */
const within = (name: string, position: string, size: number, text: string, also = ''): string =>
  `const ${name} = ${position};\nif (${name} >= 0 && ${name} < ${size}${also}) {\n${text}\n}`

const summed = (text: string, start = '0.0'): string => `let total = ${start};\n${text}\nreturn total;`

/** What the three kernels share: channels of a group, and text for indices into image, weight and result. */
const geometry = (x: Shape, w: Shape, y: Shape, { stride, padding, groups }: Conv2dAttributes) => ({
  inPerGroup: w[1]!,
  outPerGroup: y[1]! / groups,
  /** Where a tap of the kernel at an output position falls in the image. */
  row: (oy: string, ky: string): string => `(${oy} * ${stride[0]} + ${ky} - ${padding[0]})`,
  column: (ox: string, kx: string): string => `(${ox} * ${stride[1]} + ${kx} - ${padding[2]})`,
  xIndex: (...at: string[]): string => indexText(at, stridesOf(x)),
  wIndex: (...at: string[]): string => indexText(at, stridesOf(w)),
  yIndex: (...at: string[]): string => indexText(at, stridesOf(y)),
})

/**
 * y: [B, Co, OH, OW] from x: [B, Ci, H, W], w: [Co, Ci / groups, kh, kw] and optionally bias: [Co]; a thread computes
 * bias[o] + sum over (c, k) of w[o, c, k] x[b, c, stride * p + k - padding].
 */
export const conv2d: GpuKernel<Conv2dAttributes> = (device, [x, w, bias], output, attributes) => {
  const grid = planGrid(output)
  if (!grid || !areCountable(...w!.shape)) return undefined
  const g = geometry(x!.shape, w!.shape, output, attributes)
  const [b, o, oy, ox] = grid.coordinates as [string, string, string, string]
  const [, , height, width] = x!.shape as [number, number, number, number]
  const channel = (c: string) => (attributes.groups === 1 ? c : `(${quotient(o, g.outPerGroup)} * ${g.inPerGroup} + ${c})`)
  const taps = loop('c', g.inPerGroup, c =>
    loop('ky', w!.shape[2]!, ky => {
      const inRow = loop('kx', w!.shape[3]!, kx => {
        const at = g.xIndex(b, channel(c), g.row(oy, ky), g.column(ox, kx))
        return within('column', g.column(ox, kx), width, `total += x0[${at}] * x1[${g.wIndex(o, c, ky, kx)}];`)
      })
      return within('row', g.row(oy, ky), height, inRow)
    }),
  )
  return device.launch(
    { body: summed(taps, bias && `x2[${o}]`), functions: [], grid: grid.threads },
    [x, w, bias].flatMap(array => (array ? [array.values] : [])),
  )
}

/** dx: [B, Ci, H, W] from dy: [B, Co, OH, OW] and w; a thread gathers what one pixel has contributed. */
export const conv2dInputGrad: GpuKernel<Conv2dInputGradAttributes> = (device, [dy, w], output, attributes) => {
  const grid = planGrid(output)
  if (!grid || !areCountable(...w!.shape)) return undefined
  const { stride, padding, groups } = attributes
  const g = geometry(output, w!.shape, dy!.shape, attributes)
  const [b, c, iy, ix] = grid.coordinates as [string, string, string, string]
  const [, , outHeight, outWidth] = dy!.shape as [number, number, number, number]
  const group = groups === 1 ? '0' : quotient(c, g.inPerGroup)
  const out = (o: string) => (groups === 1 ? o : `(${group} * ${g.outPerGroup} + ${o})`)
  const own = groups === 1 ? c : `(${c} - ${group} * ${g.inPerGroup})`
  const taps = loop('o', g.outPerGroup, o =>
    loop('ky', w!.shape[2]!, ky => {
      // Output position times stride; a remainder means that no output position reaches this pixel through this tap.
      const y = `(${iy} - ${ky} + ${padding[0]})`
      const inRow = loop('kx', w!.shape[3]!, kx => {
        const x = `(${ix} - ${kx} + ${padding[2]})`
        const at = g.yIndex(b, out(o), quotient(y, stride[0]), quotient(x, stride[1]))
        const add = `total += x0[${at}] * x1[${g.wIndex(out(o), own, ky, kx)}];`
        return within('column', quotient(x, stride[1]), outWidth, add, ` && column * ${stride[1]} === ${x}`)
      })
      return within('row', quotient(y, stride[0]), outHeight, inRow, ` && row * ${stride[0]} === ${y}`)
    }),
  )
  return device.launch({ body: summed(taps), functions: [], grid: grid.threads }, [dy!.values, w!.values])
}

/**
 * dw: [Co, Ci / groups, kh, kw] from x and dy; a thread sums over all images and positions, row by row, so that its rounding
 * error does not grow with their number.
 */
export const conv2dWeightGrad: GpuKernel<Conv2dWeightGradAttributes> = (device, [x, dy], output, attributes) => {
  const grid = planGrid(output)
  if (!grid || !areCountable(...dy!.shape)) return undefined
  const g = geometry(x!.shape, output, dy!.shape, attributes)
  const [o, c, ky, kx] = grid.coordinates as [string, string, string, string]
  const [batch, , outHeight, outWidth] = dy!.shape as [number, number, number, number]
  const [, , height, width] = x!.shape as [number, number, number, number]
  const channel = attributes.groups === 1 ? c : `(${quotient(o, g.outPerGroup)} * ${g.inPerGroup} + ${c})`
  const images = loop('b', batch, b => {
    const rows = loop('oy', outHeight, oy => {
      const inRow = loop('ox', outWidth, ox => {
        const at = g.xIndex(b, channel, g.row(oy, ky), g.column(ox, kx))
        return within('column', g.column(ox, kx), width, `line += x0[${at}] * x1[${g.yIndex(b, o, oy, ox)}];`)
      })
      return within('row', g.row(oy, ky), height, `let line = 0.0;\n${inRow}\nimage += line;`)
    })
    return `let image = 0.0;\n${rows}\ntotal += image;`
  })
  return device.launch({ body: summed(images), functions: [], grid: grid.threads }, [x!.values, dy!.values])
}
