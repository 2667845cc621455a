import { apply } from '../apply.ts'
import { type Choose, defineOp, type TestCase } from '../op.ts'
import { formatShape, type Shape, ShapeError } from '../shape.ts'
import type { Tensor } from '../tensor.ts'
import { requireWholeNumber } from '../wholeNumber.ts'
import { conv2dInputGrad } from './conv2dInputGrad.ts'
import { conv2dWeightGrad } from './conv2dWeightGrad.ts'
import { sum } from './sum.ts'

/** Geometry of a two-dimensional convolution. */
export interface Conv2dAttributes {
  readonly stride: readonly [number, number]
  /** Zeros added at the top, bottom, left and right. */
  readonly padding: readonly [number, number, number, number]
  /** Input and output channels fall into this many groups that do not see each other. */
  readonly groups: number
}

/** @throws ShapeError, RangeError when a number of the geometry is none that a kernel can take */
const checkGeometry = ({ stride, padding, groups }: Conv2dAttributes): void => {
  if (padding.length !== 4)
    throw new ShapeError(`conv2d: padding must be one number or [top,bottom,left,right], got [${padding}]; give one of them`)
  for (const step of stride) requireWholeNumber('conv2d', 'stride', step, 1)
  for (const side of padding) requireWholeNumber('conv2d', 'padding', side, 0)
  requireWholeNumber('conv2d', 'groups', groups, 1)
}

/** Output shape of x [B,Ci,H,W] * w [Co,Ci/groups,kh,kw], or an error naming the rule that is broken: ShapeError, RangeError of a number. */
export const conv2dShape = (x: Shape, w: Shape, attributes: Conv2dAttributes): [number, number, number, number] => {
  checkGeometry(attributes)
  const { stride, padding, groups } = attributes
  const given = (): string => `got x ${formatShape(x)} and w ${formatShape(w)} with groups ${groups}`
  if (x.length !== 4 || w.length !== 4)
    throw new ShapeError(`conv2d: x must be [batch,channels,height,width] and w [out,in/groups,kh,kw], ${given()}; reshape them`)
  if (x[1] !== w[1]! * groups || w[0]! % groups !== 0) {
    throw new ShapeError(
      `conv2d: x must have in/groups * groups channels and out must divide by groups, ${given()}; check the layer's channels`,
    )
  }
  const [top, bottom, left, right] = padding
  const height = Math.floor((x[2]! + top + bottom - w[2]!) / stride[0]) + 1
  const width = Math.floor((x[3]! + left + right - w[3]!) / stride[1]) + 1
  if (height < 1 || width < 1)
    throw new ShapeError(`conv2d: the kernel is larger than the padded image, ${given()} and padding [${padding}]; pad more`)
  return [x[0]!, w[0]!, height, width]
}

/**
 * Calls `visit(xIndex, wIndex, yIndex)` for every product x*w that a convolution adds into y. The three convolution ops
 * are this one sum, read in three directions.
 */
export const forEachTap = (x: Shape, w: Shape, a: Conv2dAttributes, visit: (xi: number, wi: number, yi: number) => void): void => {
  const [batch, outChannels, outHeight, outWidth] = conv2dShape(x, w, a)
  const [, inChannels, height, width] = x as [number, number, number, number]
  const [, perGroup, kernelHeight, kernelWidth] = w as [number, number, number, number]
  const outPerGroup = outChannels / a.groups
  for (let b = 0; b < batch; b++) {
    for (let co = 0; co < outChannels; co++) {
      const firstInput = Math.floor(co / outPerGroup) * perGroup
      for (let oy = 0; oy < outHeight; oy++) {
        for (let ox = 0; ox < outWidth; ox++) {
          const yi = ((b * outChannels + co) * outHeight + oy) * outWidth + ox
          for (let ci = 0; ci < perGroup; ci++) {
            for (let ky = 0; ky < kernelHeight; ky++) {
              const iy = oy * a.stride[0] + ky - a.padding[0]
              if (iy < 0 || iy >= height) continue
              for (let kx = 0; kx < kernelWidth; kx++) {
                const ix = ox * a.stride[1] + kx - a.padding[2]
                if (ix < 0 || ix >= width) continue
                visit(
                  ((b * inChannels + firstInput + ci) * height + iy) * width + ix,
                  ((co * perGroup + ci) * kernelHeight + ky) * kernelWidth + kx,
                  yi,
                )
              }
            }
          }
        }
      }
    }
  }
}

/** A random geometry for the laws: odd sizes, single channels, strides, asymmetric padding, groups. */
export const convCase = (choose: Choose): { x: Shape; w: Shape; y: Shape; attributes: Conv2dAttributes } => {
  const groups = choose.pick([1, 1, 1, 2])
  const kernel = choose.pick([1, 2, 3, 3, 3])
  const side = (): number => choose.integer(kernel, kernel + 6)
  const x = [choose.integer(1, 3), groups * choose.integer(1, 4), side(), side()]
  const w = [groups * choose.integer(1, 5), x[1]! / groups, kernel, kernel]
  const stride = choose.pick([1, 1, 2])
  const same = Math.floor(kernel / 2)
  const padding = choose.pick<[number, number, number, number]>([
    [same, same, same, same],
    [0, 0, 0, 0],
    [0, 1, 0, 1],
  ])
  const attributes: Conv2dAttributes = { stride: [stride, stride], padding, groups }
  return { x, w, y: conv2dShape(x, w, attributes), attributes }
}

const conv2dOp = defineOp<Conv2dAttributes>({
  name: 'conv2d',
  shape: ([x, w, bias], attributes) => {
    const shape = conv2dShape(x!, w!, attributes)
    if (bias && (bias.length !== 1 || bias[0] !== shape[1])) {
      throw new ShapeError(`conv2d: bias must be [${shape[1]}], got ${formatShape(bias)}; give one value per output channel`)
    }
    return shape
  },
  define: ([x, w, bias], output, attributes) => {
    const [, channels, height, width] = output.shape as [number, number, number, number]
    const total = new Float64Array(output.values.length)
    if (bias) for (let i = 0; i < total.length; i++) total[i] = bias.values[Math.floor(i / (height * width)) % channels]!
    forEachTap(x!.shape, w!.shape, attributes, (xi, wi, yi) => (total[yi]! += x!.values[xi]! * w!.values[wi]!))
    output.values.set(total)
  },
  gradient: ({ inputs: [x, w], attributes: { stride, padding, groups }, outputGradient: dy }) => [
    () => conv2dInputGrad(dy, w!, { stride, padding, groups, inputShape: x!.shape }),
    () => conv2dWeightGrad(x!, dy, { stride, padding, groups, weightShape: w!.shape }),
    () => sum(dy, { axes: [0, 2, 3] }),
  ],
  domain: (choose): TestCase<Conv2dAttributes> => {
    const { x, w, attributes } = convCase(choose)
    const bias = choose.integer(0, 1) === 1 ? [{ shape: [w[0]!] }] : []
    return { inputs: [{ shape: x }, { shape: w }, ...bias], attributes }
  },
})

export interface Conv2dOptions {
  readonly bias?: Tensor | undefined
  readonly stride?: number
  /** Zeros on every side, or [top, bottom, left, right]. Default 0. */
  readonly padding?: number | readonly [number, number, number, number]
  readonly groups?: number
}

/**
 * Two-dimensional cross-correlation, as deep learning calls convolution: x [batch,in,height,width], w [out,in/groups,kh,kw],
 * result [batch,out,(height+top+bottom-kh)/stride+1, ...], division rounded down.
 * Throws ShapeError when the shapes do not fit, RangeError when stride, padding or groups is no whole number in range.
 */
export const conv2d = (x: Tensor, w: Tensor, { bias, stride = 1, padding = 0, groups = 1 }: Conv2dOptions = {}): Tensor => {
  const sides = (Array.isArray(padding) ? padding : [padding, padding, padding, padding]) as Conv2dAttributes['padding']
  return apply(conv2dOp, bias ? [x, w, bias] : [x, w], { stride: [stride, stride], padding: sides, groups })
}
