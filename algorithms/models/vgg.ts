import { ops, type Tensor, tidy } from '../../core/index.ts'
import {
  adaptiveAvgPool2d,
  constantOf,
  convShapes,
  initialise,
  linearShapes,
  maxPool2d,
  normalWith,
  normShapes,
  type ParameterShapes,
  runningShapes,
} from '../../core/nn/index.ts'
import { checkImages } from './checkImages.ts'
import type { ClassifierNetwork } from './classifierNetwork.ts'
import { forwardPass } from './forwardPass.ts'

export interface VggConfig {
  readonly depth: 11 | 13 | 16 | 19
  /** Probability of dropout between the linear maps, in training with a key. Default 0.5. */
  readonly dropout?: number
  readonly inChannels?: number
  /** Default 1000. */
  readonly classes?: number
  /** Channels of the five stages; default 64, 128, 256, 512, 512. */
  readonly widths?: readonly number[]
  /** Features of the two hidden linear maps; default 4096. */
  readonly hidden?: number
}

export interface Vgg extends ClassifierNetwork {
  readonly config: Required<VggConfig>
}

/** Convolutions of each stage. */
const STAGES: Readonly<Record<number, readonly number[]>> = {
  11: [1, 1, 2, 2, 2],
  13: [2, 2, 2, 2, 2],
  16: [2, 2, 3, 3, 3],
  19: [2, 2, 4, 4, 4],
}

/** Side of the feature map that the first linear map takes. */
const POOLED = 7

/** Modules of a convolution in the origin's list of layers: convolution, normalisation, relu. */
const MODULES = 3

interface Convolution {
  /** Place in the origin's list, after which its normalisation comes. */
  readonly index: number
  readonly inputs: number
  readonly outputs: number
  /** Whether the maximum over 2x2 windows follows. */
  readonly pooled: boolean
}

const convolutionsOf = ({ depth, inChannels, widths }: Required<VggConfig>): Convolution[] => {
  const counts = STAGES[depth]
  if (!counts) throw new Error(`vgg: there is no VGG-${depth}; use ${Object.keys(STAGES).join(', ')}`)
  if (widths.length !== counts.length) throw new Error(`vgg: ${counts.length} stages but widths [${widths}]; give one per stage`)
  let index = 0
  let inputs = inChannels
  return counts.flatMap((count, stage) =>
    Array.from({ length: count }, (_, i) => {
      const convolution = { index, inputs, outputs: widths[stage]!, pooled: i === count - 1 }
      index += MODULES + (convolution.pooled ? 1 : 0)
      inputs = convolution.outputs
      return convolution
    }),
  )
}

const convName = ({ index }: Convolution): string => `features.${index}`
const normName = ({ index }: Convolution): string => `features.${index + 1}`

const shapesOf = ({ hidden, classes }: Required<VggConfig>, convolutions: readonly Convolution[]): ParameterShapes =>
  Object.assign(
    {},
    ...convolutions.flatMap(conv => [
      convShapes(convName(conv), conv.inputs, conv.outputs, { kernel: 3 }),
      normShapes(normName(conv), conv.outputs),
    ]),
    linearShapes('classifier.0', convolutions.at(-1)!.outputs * POOLED ** 2, hidden),
    linearShapes('classifier.3', hidden, hidden),
    linearShapes('classifier.6', hidden, classes),
  )

const initialiser = (name: string, shape: readonly number[]) => {
  if (name.endsWith('.bias')) return constantOf(0)
  if (shape.length === 4) return normalWith(Math.sqrt(2 / (shape[0]! * shape[2]! * shape[3]!)))
  return shape.length === 2 ? normalWith(0.01) : undefined
}

/**
 * VGG with batch normalisation (Simonyan and Zisserman 2015) as torchvision's `vgg*_bn` has it: five stages of 3x3
 * convolutions, each stage ending with the maximum over 2x2 windows, means over 7x7 parts of the rest, three linear maps with
 * dropout between. x: [batch, inChannels, height, width] with sides of at least 32, normalised as the checkpoint expects it.
 *
 * Throws Error on a depth that does not exist, ShapeError on smaller images or other channels.
 * Deviations: for ties in the maximum see `maxPool2d`.
 */
export const createVgg = (given: VggConfig): Vgg => {
  const config = { dropout: 0.5, inChannels: 3, classes: 1000, widths: [64, 128, 256, 512, 512], hidden: 4096, ...given }
  const input = { channels: config.inChannels, leastSide: 32 }
  const convolutions = convolutionsOf(config)
  const shapes = shapesOf(config, convolutions)
  const buffers: ParameterShapes = Object.assign({}, ...convolutions.map(conv => runningShapes(normName(conv), conv.outputs)))

  const apply: Vgg['apply'] = (params, x, o = {}) => {
    checkImages('vgg', x, input)
    return tidy(() => {
      const pass = forwardPass(params, o)
      const stage = (h: Tensor, conv: Convolution): Tensor => {
        const activated = pass.batchNorm(pass.conv2d(h, convName(conv)), normName(conv), { relu: true })
        return conv.pooled ? maxPool2d(activated, { size: 2 }) : activated
      }
      const features = convolutions.reduce((h, conv) => pass.block(() => stage(h, conv)), x)
      const flat = adaptiveAvgPool2d(features, [POOLED, POOLED]).reshape([x.shape[0]!, -1])
      const hidden = (h: Tensor, name: string): Tensor => pass.dropout(ops.relu(pass.linear(h, name)), config.dropout, name)
      const last = hidden(hidden(flat, 'classifier.0'), 'classifier.3')
      return { logits: pass.linear(last, 'classifier.6'), runningStatistics: pass.runningStatistics }
    })
  }

  return {
    config,
    input,
    parameterShapes: () => shapes,
    bufferShapes: () => buffers,
    init: key => initialise(key, { ...shapes, ...buffers }, initialiser),
    apply,
  }
}
