import { add, constant, div, type Expr, input, mul, sigmoid, sqrt, sub } from '../../expr/expr.ts'
import type { GroupNormAttributes } from '../../ops/groupNorm.ts'
import { type Shape, sizeOf, stridesOf } from '../../shape.ts'
import type { Device, DeviceArray, GpuArray, GpuKernel } from './device.ts'
import { mapViews } from './map.ts'
import { concatArrays } from './movement.ts'
import { reduceAxes, reduceViews } from './reduce.ts'
import type { View } from './view.ts'

const one = constant(1)

/** x as [image, group, channel in group, position], and how arrays of other extents are read along these axes. */
const layoutOf = (shape: Shape, groups: number) => {
  const axes = [shape[0]!, groups, shape[1]! / groups, sizeOf(shape.slice(2))]
  const size = axes[2]! * axes[3]!
  return {
    axes,
    /** Elements of a group. */
    size,
    kept: [axes[0]! * groups],
    whole: (values: DeviceArray): View => ({ values, strides: stridesOf(axes) }),
    perGroup: (values: DeviceArray): View => ({ values, strides: [groups, 1, 0, 0] }),
    perChannel: (values: DeviceArray): View => ({ values, strides: [0, axes[2]!, 1, 0] }),
    wholeReduced: (values: DeviceArray) => ({ values, strides: [size], step: 1 }),
    perGroupReduced: (values: DeviceArray) => ({ values, strides: [1], step: 0 }),
  }
}

type Layout = ReturnType<typeof layoutOf>

/** (x - mean) / deviation, from a group's sum of x and sum of squared distances. */
const normalised = (x: Expr, sum: Expr, squares: Expr, size: number, epsilon: number) => {
  const centred = sub(x, mul(sum, constant(1 / size)))
  const inverse = div(one, sqrt(add(mul(squares, constant(1 / size)), constant(epsilon))))
  return { centred, inverse, normal: mul(centred, inverse) }
}

/** Per group the sum of x, then the sum of squared distances to the mean: two passes, so that nothing cancels. */
const statistics = (device: Device, x: GpuArray, { kept, size, wholeReduced, perGroupReduced }: Layout) => {
  const sum = reduceViews(device, { combine: 'add', kept, length: size, views: [wholeReduced(x.values)] })!
  const centred = sub(input(0), mul(input(1), constant(1 / size)))
  const views = [wholeReduced(x.values), perGroupReduced(sum)]
  const squares = reduceViews(device, { combine: 'add', kept, length: size, views, expr: mul(centred, centred) })!
  return { sum, squares }
}

/** Derivative of silu at a, times dy; plain dy when silu does not follow. */
const throughSilu = (dy: Expr, a: Expr, silu: boolean): Expr => {
  const s = sigmoid(a)
  return silu ? mul(dy, mul(s, add(one, mul(a, sub(one, s))))) : dy
}

/** y = silu?((x - mean) / sqrt(variance + epsilon) * weight + bias), per image and group of channels. */
export const groupNorm: GpuKernel<GroupNormAttributes> = (device, [x, weight, bias], _, { groups, epsilon, silu }) => {
  const layout = layoutOf(x!.shape, groups)
  const { sum, squares } = statistics(device, x!, layout)
  const { normal } = normalised(input(0), input(1), input(2), layout.size, epsilon)
  const affine = add(mul(normal, input(3)), input(4))
  const views = [layout.whole(x!.values), ...[sum, squares].map(layout.perGroup), ...[weight!.values, bias!.values].map(layout.perChannel)]
  return mapViews(device, layout.axes, views, silu ? mul(affine, sigmoid(affine)) : affine)
}

/** Inputs 0 to 5: x, sum, squares, weight, bias, dy; gives dy through silu, and the normalised x. */
const backward = (layout: Layout, { epsilon, silu }: GroupNormAttributes) => {
  const { normal } = normalised(input(0), input(1), input(2), layout.size, epsilon)
  return { through: throughSilu(input(5), add(mul(normal, input(3)), input(4)), silu), normal }
}

const backwardViews = (layout: Layout, inputs: readonly GpuArray[], sum: DeviceArray, squares: DeviceArray): View[] => {
  const [x, weight, bias, dy] = inputs.map(array => array.values) as [DeviceArray, DeviceArray, DeviceArray, DeviceArray]
  return [layout.whole(x), ...[sum, squares].map(layout.perGroup), ...[weight, bias].map(layout.perChannel), layout.whole(dy)]
}

/** dx = (g - mean(g) - xhat mean(g xhat)) / deviation with g = weight * (dy through silu), means over the group. */
export const groupNormInputGrad: GpuKernel<GroupNormAttributes> = (device, inputs, _, attributes) => {
  const x = inputs[0]!
  const layout = layoutOf(x.shape, attributes.groups)
  const { kept, size } = layout
  const { sum, squares } = statistics(device, x, layout)
  const g = mapViews(device, layout.axes, backwardViews(layout, inputs, sum, squares), mul(input(3), backward(layout, attributes).through))
  if (!g) return undefined
  const { normal, inverse } = normalised(input(1), input(2), input(3), size, attributes.epsilon)
  const sumG = reduceViews(device, { combine: 'add', kept, length: size, views: [layout.wholeReduced(g)] })!
  const groupViews = [layout.wholeReduced(g), layout.wholeReduced(x.values), ...[sum, squares].map(layout.perGroupReduced)]
  const sumGx = reduceViews(device, { combine: 'add', kept, length: size, views: groupViews, expr: mul(input(0), normal) })!
  const mean = (total: Expr): Expr => mul(total, constant(1 / size))
  const dx = mul(sub(sub(input(0), mean(input(4))), mul(normal, mean(input(5)))), inverse)
  return mapViews(device, layout.axes, [layout.whole(g), layout.whole(x.values), ...[sum, squares, sumG, sumGx].map(layout.perGroup)], dx)
}

/** d weight = sum of dy' xhat and d bias = sum of dy', with dy' = dy through silu. */
const parameterGrad = (device: Device, inputs: readonly GpuArray[], attributes: GroupNormAttributes): readonly (GpuArray | undefined)[] => {
  const x = inputs[0]!
  const layout = layoutOf(x.shape, attributes.groups)
  const { sum, squares } = statistics(device, x, layout)
  const views = backwardViews(layout, inputs, sum, squares)
  const { through, normal } = backward(layout, attributes)
  const shape = [x.shape[0]!, x.shape[1]!, layout.axes[3]!]
  return [mul(through, normal), through].map(expr => {
    const terms = mapViews(device, layout.axes, views, expr)
    const row = terms && reduceAxes(device, 'add', { values: terms, shape }, [0, 2])
    return row && { values: row, shape: [x.shape[1]!] }
  })
}

/** The gradients by x, weight and bias, one after the other. */
export const groupNormGrad: GpuKernel<GroupNormAttributes> = (device, inputs, _, attributes) => {
  const dx = groupNormInputGrad(device, inputs, inputs[0]!.shape, attributes)
  const [dWeight, dBias] = parameterGrad(device, inputs, attributes)
  const flat = dx && { values: dx, shape: [sizeOf(inputs[0]!.shape)] }
  return flat && dWeight && dBias && concatArrays(device, [flat, dWeight, dBias], 0)
}
