import type { Tensor } from '../../core/index.ts'
import {
  constantOf,
  convShapes,
  type Initialiser,
  initialise,
  linearShapes,
  normalWith,
  normShapes,
  type ParameterShapes,
  runningShapes,
  xavierUniform,
} from '../../core/nn/index.ts'
import { checkImages } from './checkImages.ts'
import type { ClassifierNetwork, ClassifierOptions, ClassifierResult } from './classifierNetwork.ts'
import { forwardPass } from './forwardPass.ts'
import type { Parameters } from './types.ts'

export interface WideResNetConfig {
  /** 'wrn': as in TRADES, without convolution biases; 'wide': with them. See `createWideResNet`. */
  readonly implementation: 'wrn' | 'wide'
  /** 6 blocksPerStage + 4. */
  readonly depth: number
  readonly widenFactor: number
  readonly inChannels?: number
  readonly classes?: number
  /** Probability of dropout within each block, in training with a key. */
  readonly dropout?: number
}

export interface WideResNetResult extends ClassifierResult {
  /** [batch, 64 widenFactor]: what the last linear map sees. */
  readonly features: Tensor
}

export interface WideResNet extends ClassifierNetwork {
  readonly config: Required<WideResNetConfig>
  apply(params: Parameters, x: Tensor, o?: ClassifierOptions): WideResNetResult
}

/** How the two published implementations differ. */
interface Implementation {
  readonly stage: (index: number) => string
  readonly shortcut: string
  readonly classifier: string
  readonly convBias: boolean
  /** Which of a block's two convolutions halves the image. */
  readonly strided: 1 | 2
  /** Whether a 1x1 shortcut sees the normalised input instead of the input. */
  readonly normalisedShortcut: boolean
  /** Momentum of the last batch normalisation. */
  readonly lastMomentum: number
  readonly initialiser: (name: string, shape: readonly number[]) => Initialiser | undefined
}

const IMPLEMENTATIONS: Readonly<Record<WideResNetConfig['implementation'], Implementation>> = {
  wrn: {
    stage: index => `block${index}.layer`,
    shortcut: 'convShortcut',
    classifier: 'fc',
    convBias: false,
    strided: 1,
    normalisedShortcut: true,
    lastMomentum: 0.1,
    initialiser: (name, shape) => {
      if (shape.length === 4) return normalWith(Math.sqrt(2 / (shape[0]! * shape[2]! * shape[3]!)))
      return name === 'fc.bias' ? constantOf(0) : undefined
    },
  },
  wide: {
    stage: index => `layer${index}`,
    shortcut: 'shortcut.0',
    classifier: 'linear',
    convBias: true,
    strided: 2,
    normalisedShortcut: false,
    lastMomentum: 0.9,
    initialiser: (name, shape) => {
      if (shape.length === 4) return xavierUniform(Math.SQRT2)
      return /(conv\d|shortcut\.0)\.bias$/.test(name) ? constantOf(0) : undefined
    },
  },
}

interface Block {
  readonly name: string
  readonly inputs: number
  readonly outputs: number
  readonly stride: number
}

const blocksOf = ({ depth, widenFactor }: WideResNetConfig, how: Implementation): Block[] => {
  const perStage = (depth - 4) / 6
  if (!Number.isInteger(perStage) || perStage < 1)
    throw new Error(`wideResNet: depth must be 6 n + 4, got ${depth}; use 10, 16, 22, 28, ...`)
  const widths = [16, 16 * widenFactor, 32 * widenFactor, 64 * widenFactor]
  return [1, 2, 3].flatMap(stage =>
    Array.from({ length: perStage }, (_, i) => ({
      name: `${how.stage(stage)}.${i}`,
      inputs: widths[i === 0 ? stage - 1 : stage]!,
      outputs: widths[stage]!,
      stride: i === 0 && stage > 1 ? 2 : 1,
    })),
  )
}

const needsShortcut = ({ inputs, outputs, stride }: Block): boolean => inputs !== outputs || stride !== 1

const blockShapes = (block: Block, { convBias: bias, shortcut }: Implementation): ParameterShapes => ({
  ...normShapes(`${block.name}.bn1`, block.inputs),
  ...convShapes(`${block.name}.conv1`, block.inputs, block.outputs, { kernel: 3, bias }),
  ...normShapes(`${block.name}.bn2`, block.outputs),
  ...convShapes(`${block.name}.conv2`, block.outputs, block.outputs, { kernel: 3, bias }),
  ...(needsShortcut(block) ? convShapes(`${block.name}.${shortcut}`, block.inputs, block.outputs, { kernel: 1, bias }) : {}),
})

/**
 * Wide residual network (Zagoruyko and Komodakis 2016), the classifier of the paper: WRN-28-10 is depth 28, widenFactor 10.
 * A convolution, three stages of pre-activation blocks of which the second and third halve the image, batch
 * normalisation, relu, mean over positions, a linear map. x: [batch, inChannels, height, width] as the checkpoint expects
 * it (normalised or not); sides divisible by 4.
 *
 * Two published implementations with equal names but different numbers exist:
 * - 'wrn' (TRADES): no convolution biases, the first convolution of a block strided, 1x1 shortcuts after bn1 and relu.
 * - 'wide' (wide-resnet.pytorch): biases, the second convolution strided, shortcuts of the bare input, and momentum 0.9
 *   in the last batch normalisation.
 * Deviations: the origins average over 8x8 windows, which for their 32x32 images is the mean over positions taken here.
 */
export const createWideResNet = (given: WideResNetConfig): WideResNet => {
  const config = { inChannels: 3, classes: 10, dropout: 0, ...given }
  const how = IMPLEMENTATIONS[config.implementation]
  const input = { channels: config.inChannels, divisor: 4 }
  const blocks = blocksOf(config, how)
  const width = blocks.at(-1)!.outputs
  const shapes: ParameterShapes = Object.assign(
    {},
    convShapes('conv1', config.inChannels, 16, { kernel: 3, bias: how.convBias }),
    ...blocks.map(block => blockShapes(block, how)),
    normShapes('bn1', width),
    linearShapes(how.classifier, width, config.classes),
  )
  const buffers: ParameterShapes = Object.assign(
    {},
    ...blocks.flatMap(({ name, inputs, outputs }) => [runningShapes(`${name}.bn1`, inputs), runningShapes(`${name}.bn2`, outputs)]),
    runningShapes('bn1', width),
  )

  const apply: WideResNet['apply'] = (params, x, o = {}) => {
    checkImages('wideResNet', x, input)
    const pass = forwardPass(params, o)

    const residual = (h: Tensor, block: Block): Tensor => {
      const named = (layer: string): string => `${block.name}.${layer}`
      const strideOf = (convolution: 1 | 2): number => (convolution === how.strided ? block.stride : 1)
      const drop = (inner: Tensor): Tensor => pass.dropout(inner, config.dropout, block.name)
      const first = pass.batchNorm(h, named('bn1'), { relu: true })
      const middle = pass.conv2d(first, named('conv1'), { stride: strideOf(1) })
      // 'wide' drops before bn2 and 'wrn' after its relu.
      const second =
        config.implementation === 'wide'
          ? pass.batchNorm(drop(middle), named('bn2'), { relu: true })
          : drop(pass.batchNorm(middle, named('bn2'), { relu: true }))
      const output = pass.conv2d(second, named('conv2'), { stride: strideOf(2) })
      if (!needsShortcut(block)) return h.add(output)
      const shortcut = pass.conv2d(how.normalisedShortcut ? first : h, named(how.shortcut), { stride: block.stride })
      return shortcut.add(output)
    }

    const last = blocks.reduce(residual, pass.conv2d(x, 'conv1'))
    const features = pass.batchNorm(last, 'bn1', { relu: true, momentum: how.lastMomentum }).mean([2, 3])
    return { logits: pass.linear(features, how.classifier), features, runningStatistics: pass.runningStatistics }
  }

  return {
    config,
    input,
    parameterShapes: () => shapes,
    bufferShapes: () => buffers,
    init: key => initialise(key, { ...shapes, ...buffers }, how.initialiser),
    apply,
  }
}
