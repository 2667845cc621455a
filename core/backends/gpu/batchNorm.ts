import { add, constant, div, type Expr, input, lt, max, mul, select, sqrt, sub } from '../../expr/expr.ts'
import type { BatchNormAttributes } from '../../ops/batchNorm.ts'
import { type Shape, sizeOf, stridesOf } from '../../shape.ts'
import type { Device, DeviceArray, GpuArray, GpuKernel } from './device.ts'
import { mapViews } from './map.ts'
import { concatArrays } from './movement.ts'
import { reduceAxes } from './reduce.ts'
import type { View } from './view.ts'

const zero = constant(0)

/** x as [image, channel, position], and how arrays are read along these axes. */
const layoutOf = (shape: Shape) => {
  const axes = [shape[0]!, shape[1]!, sizeOf(shape.slice(2))]
  return {
    axes,
    channels: axes[1]!,
    /** Elements of a channel. */
    size: axes[0]! * axes[2]!,
    whole: (values: DeviceArray): View => ({ values, strides: stridesOf(axes) }),
    perChannel: (values: DeviceArray): View => ({ values, strides: [0, 1, 0] }),
  }
}

type Layout = ReturnType<typeof layoutOf>

const sumByChannel = (device: Device, { axes }: Layout, values: DeviceArray | undefined): DeviceArray | undefined =>
  values && reduceAxes(device, 'add', { values, shape: axes }, [0, 2])

const average = (sum: Expr, { size }: Layout): Expr => mul(sum, constant(1 / size))

/** Of inputs 0 to 4, x, the sums of x and of squared distances to the mean, weight and bias. */
const expressions = (layout: Layout, { epsilon, relu }: BatchNormAttributes) => {
  const inverse = div(constant(1), sqrt(add(average(input(2), layout), constant(epsilon))))
  const normal = mul(sub(input(0), average(input(1), layout)), inverse)
  const affine = add(mul(normal, input(3)), input(4))
  const through = (dy: Expr): Expr => (relu ? select(lt(zero, affine), dy, zero) : dy)
  return { inverse, normal, y: relu ? max(affine, zero) : affine, through }
}

/** Views of x, its statistics, weight and bias; statistics in two passes, so that nothing cancels. */
const viewsOf = (device: Device, layout: Layout, [x, weight, bias]: readonly GpuArray[]): View[] | undefined => {
  const { axes, whole, perChannel } = layout
  const sum = sumByChannel(device, layout, x!.values)
  if (!sum) return undefined
  const centred = sub(input(0), average(input(1), layout))
  const squares = sumByChannel(device, layout, mapViews(device, axes, [whole(x!.values), perChannel(sum)], mul(centred, centred)))
  return squares && [whole(x!.values), ...[sum, squares, weight!.values, bias!.values].map(perChannel)]
}

/** y = relu?((x - mean) / sqrt(variance + epsilon) * weight + bias), per channel. */
export const batchNorm: GpuKernel<BatchNormAttributes> = (device, inputs, _, attributes) => {
  const layout = layoutOf(inputs[0]!.shape)
  const views = viewsOf(device, layout, inputs)
  return views && mapViews(device, layout.axes, views, expressions(layout, attributes).y)
}

/**
 * With dz = dy through relu: dWeight = sum of dz xHat, dBias = sum of dz, dx = weight (dz - mean(dz) - xHat mean(dz xHat))
 * / deviation, per channel.
 */
const gradients = (device: Device, inputs: readonly GpuArray[], attributes: BatchNormAttributes) => {
  const layout = layoutOf(inputs[0]!.shape)
  const views = viewsOf(device, layout, inputs)
  if (!views) return undefined
  const { normal, inverse, through } = expressions(layout, attributes)
  const dz = through(input(5))
  const withDy = [...views, layout.whole(inputs[3]!.values)]
  const [dWeight, dBias] = [mul(dz, normal), dz].map(term => sumByChannel(device, layout, mapViews(device, layout.axes, withDy, term)))
  const dzValues = dBias && mapViews(device, layout.axes, withDy, dz)
  if (!dWeight || !dBias || !dzValues) return undefined
  const centred = sub(sub(input(4), average(input(5), layout)), mul(normal, average(input(6), layout)))
  const dxViews = [...views.slice(0, 4), layout.whole(dzValues), ...[dBias, dWeight].map(layout.perChannel)]
  const dx = mapViews(device, layout.axes, dxViews, mul(mul(input(3), inverse), centred))
  return dx && { dx, dWeight, dBias, channels: layout.channels }
}

export const batchNormInputGrad: GpuKernel<BatchNormAttributes> = (device, inputs, _, attributes) =>
  gradients(device, inputs, attributes)?.dx

/** The gradients by x, weight and bias, one after the other. */
export const batchNormGrad: GpuKernel<BatchNormAttributes> = (device, inputs, _, attributes) => {
  const all = gradients(device, inputs, attributes)
  if (!all) return undefined
  const { dx, dWeight, dBias, channels } = all
  const parameters = [dWeight, dBias].map(values => ({ values, shape: [channels] }))
  return concatArrays(device, [{ values: dx, shape: [sizeOf(inputs[0]!.shape)] }, ...parameters], 0)
}
