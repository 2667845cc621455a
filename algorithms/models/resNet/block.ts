import { ops, type Tensor } from '../../../core/index.ts'
import { convShapes, normShapes, type ParameterShapes, runningShapes } from '../../../core/nn/index.ts'
import type { ForwardPass } from '../forwardPass.ts'
import type { Implementation, Shortcut } from './implementations.ts'

/** Output channels of a bottleneck, per channel of its stage. */
export const EXPANSION = 4

/** One residual block: what it takes and gives. */
export interface Block {
  readonly name: string
  readonly inputs: number
  /** Channels of its inner convolutions. */
  readonly width: number
  readonly outputs: number
  readonly stride: number
  readonly bottleneck: boolean
  readonly shortcut: Shortcut | 'identity'
}

interface Convolution {
  readonly inputs: number
  readonly outputs: number
  readonly kernel: number
  readonly stride: number
}

/** The convolutions of the residual, each followed by a batch normalisation. The 3x3 of a bottleneck strides (ResNet v1.5). */
const convolutions = ({ inputs, width, outputs, stride, bottleneck }: Block): Convolution[] =>
  bottleneck
    ? [
        { inputs, outputs: width, kernel: 1, stride: 1 },
        { inputs: width, outputs: width, kernel: 3, stride },
        { inputs: width, outputs, kernel: 1, stride: 1 },
      ]
    : [
        { inputs, outputs: width, kernel: 3, stride },
        { inputs: width, outputs, kernel: 3, stride: 1 },
      ]

export const blockShapes = (block: Block, { projection: [conv, norm] }: Implementation): ParameterShapes =>
  Object.assign(
    {},
    ...convolutions(block).flatMap(({ inputs, outputs, kernel }, i) => [
      convShapes(`${block.name}.conv${i + 1}`, inputs, outputs, { kernel, bias: false }),
      normShapes(`${block.name}.bn${i + 1}`, outputs),
    ]),
    block.shortcut === 'B'
      ? {
          ...convShapes(`${block.name}.${conv}`, block.inputs, block.outputs, { kernel: 1, bias: false }),
          ...normShapes(`${block.name}.${norm}`, block.outputs),
        }
      : {},
  )

export const blockBuffers = (block: Block, { projection: [, norm] }: Implementation): ParameterShapes =>
  Object.assign(
    {},
    ...convolutions(block).map(({ outputs }, i) => runningShapes(`${block.name}.bn${i + 1}`, outputs)),
    block.shortcut === 'B' ? runningShapes(`${block.name}.${norm}`, block.outputs) : {},
  )

/** Every stride-th row and column. [B, C, H, W], stride divides H and W. */
const subsample = (x: Tensor, stride: number): Tensor => {
  if (stride === 1) return x
  const [batch, channels, height, width] = x.shape as [number, number, number, number]
  const [rows, columns] = [height / stride, width / stride]
  return x
    .reshape([batch * channels, rows, stride, columns, stride])
    .slice([0, 0, 0, 0, 0], [batch * channels, rows, 1, columns, 1])
    .reshape([batch, channels, rows, columns])
}

/** Option A of He et al. 2016: no parameters; half of the new channels, all zero, come before those of x and half after. */
export const paddedShortcut = (x: Tensor, { inputs, outputs, stride }: Pick<Block, 'inputs' | 'outputs' | 'stride'>): Tensor => {
  const before = Math.floor((outputs - inputs) / 2)
  return ops.pad(subsample(x, stride), { before: [0, before, 0, 0], after: [0, outputs - inputs - before, 0, 0] })
}

/** relu(shortcut(x) + residual(x)). x: [batch, inputs, height, width], the stride divides the sides. */
export const residualBlock = (x: Tensor, block: Block, { projection: [conv, norm] }: Implementation, pass: ForwardPass): Tensor => {
  const parts = convolutions(block)
  const residual = parts.reduce(
    (h, { stride }, i) =>
      pass.batchNorm(pass.conv2d(h, `${block.name}.conv${i + 1}`, { stride }), `${block.name}.bn${i + 1}`, { relu: i < parts.length - 1 }),
    x,
  )
  const shortcut = (): Tensor => {
    if (block.shortcut === 'identity') return x
    if (block.shortcut === 'A') return paddedShortcut(x, block)
    return pass.batchNorm(pass.conv2d(x, `${block.name}.${conv}`, { stride: block.stride }), `${block.name}.${norm}`)
  }
  return ops.relu(residual.add(shortcut()))
}
