import { constant, input, mul } from '../../expr/expr.ts'
import type { AttentionAttributes } from '../../ops/attention.ts'
import { type Shape, sizeOf } from '../../shape.ts'
import type { Device, DeviceArray, GpuArray, GpuKernel } from './device.ts'
import { mapViews } from './map.ts'
import { matmul } from './matmul.ts'
import { concatArrays } from './movement.ts'
import { softmax, softmaxInputGrad } from './softmax.ts'

interface Product {
  readonly shape: Shape
  readonly transposeA?: boolean
  readonly transposeB?: boolean
}

const multiply = (
  device: Device,
  a: GpuArray | undefined,
  b: GpuArray | undefined,
  { shape, transposeA = false, transposeB = false }: Product,
): GpuArray | undefined => {
  const values = a && b && matmul(device, [a, b], shape, { transposeA, transposeB })
  return values && { values, shape }
}

const scaled = (device: Device, { values, shape }: GpuArray, scale: number): GpuArray | undefined => {
  const result = mapViews(device, [sizeOf(shape)], [{ values, strides: [1] }], mul(input(0), constant(scale)))
  return result && { values: result, shape }
}

/** Inputs with the heads as batch, and the attention weights [batch heads, positions, keyPositions]. */
const attend = (device: Device, inputs: readonly GpuArray[], { heads }: AttentionAttributes) => {
  const [batch, channels, n] = inputs[0]!.shape as [number, number, number]
  const perHead = channels / heads
  const split = ({ values, shape }: GpuArray): GpuArray => ({ values, shape: [batch * heads, perHead, shape[2]!] })
  const parts = inputs.map(split) as [GpuArray, GpuArray, GpuArray, GpuArray]
  const scale = 1 / Math.sqrt(perHead)
  const shape = [batch * heads, n, inputs[1]!.shape[2]!]
  const scores = multiply(device, scaled(device, parts[0], scale), parts[1], { shape, transposeA: true })
  const values = scores && softmax(device, [scores], shape, null)
  return { parts, scale, weights: values && { values, shape } }
}

/** Per head, V softmax(Q^T K / sqrt(d))^T. */
export const attention: GpuKernel<AttentionAttributes> = (device, inputs, _, attributes) => {
  const { parts, weights } = attend(device, inputs, attributes)
  return multiply(device, parts[2], weights, { shape: parts[0].shape, transposeB: true })?.values
}

/** The gradients by query, key and value, one after the other. */
export const attentionGrad: GpuKernel<AttentionAttributes> = (device, inputs, _, attributes) => {
  const { parts, scale, weights } = attend(device, inputs, attributes)
  const [query, key, value, dy] = parts
  const dWeights = weights && multiply(device, dy, value, { shape: weights.shape, transposeA: true })
  const dScores = dWeights && softmaxInputGrad(device, [weights, dWeights], weights.shape, null)
  const dS = dScores && scaled(device, { values: dScores, shape: weights.shape }, scale)
  const gradients = [
    multiply(device, key, dS, { shape: query.shape, transposeB: true }),
    multiply(device, query, dS, { shape: key.shape }),
    multiply(device, dy, weights, { shape: value.shape }),
  ]
  const flat = gradients.flatMap(g => (g ? [{ values: g.values as DeviceArray, shape: [sizeOf(g.shape)] }] : []))
  return flat.length === 3 ? concatArrays(device, flat, 0) : undefined
}
