import { tidy } from '../../core/index.ts'
import { convShapes, initialise, linearShapes, maxPool2d, normShapes, type ParameterShapes, runningShapes } from '../../core/nn/index.ts'
import { checkImages } from './checkImages.ts'
import type { ClassifierNetwork } from './classifierNetwork.ts'
import { forwardPass } from './forwardPass.ts'
import { type Block, blockBuffers, blockShapes, EXPANSION, residualBlock } from './resNet/block.ts'
import { depthPlan, IMPLEMENTATIONS, type Implementation, type ResNetImplementation, type Shortcut } from './resNet/implementations.ts'

export type { ResNetImplementation } from './resNet/implementations.ts'

export interface ResNetConfig {
  readonly implementation: ResNetImplementation
  /** heCifar: 6 n + 2 (20, 32, 44, 56, 110); otherwise 18, 34, 50, 101, 152. */
  readonly depth: number
  /** What joins input and output where sizes differ. Default A for heCifar, B (the only choice) otherwise. */
  readonly shortcut?: Shortcut
  readonly inChannels?: number
  /** Default 10, and 1000 for imagenet. */
  readonly classes?: number
  /** Channels of the stages before expansion; default as published. */
  readonly widths?: readonly number[]
}

export interface ResNet extends ClassifierNetwork {
  readonly config: Required<ResNetConfig>
}

const completed = (given: ResNetConfig): Required<ResNetConfig> => {
  const how = IMPLEMENTATIONS[given.implementation]
  const shortcut = given.shortcut ?? (given.implementation === 'heCifar' ? 'A' : 'B')
  if (shortcut === 'A' && given.implementation !== 'heCifar')
    throw new Error(`resNet: ${given.implementation} has no shortcuts of option A; use B or the implementation heCifar`)
  const config = { inChannels: 3, classes: how.defaultClasses, widths: how.widths, ...given, shortcut }
  if (config.widths.length !== how.widths.length)
    throw new Error(`resNet: ${given.implementation} has ${how.widths.length} stages, got widths [${config.widths}]; give one per stage`)
  return config
}

const blocksOf = ({ implementation, depth, shortcut, widths }: Required<ResNetConfig>): Block[] => {
  const { blocks: counts, bottleneck } = depthPlan(implementation, depth)
  let inputs = widths[0]!
  return counts.flatMap((count, stage) =>
    Array.from({ length: count }, (_, i): Block => {
      const width = widths[stage]!
      const outputs = bottleneck ? EXPANSION * width : width
      const stride = stage > 0 && i === 0 ? 2 : 1
      const identical = inputs === outputs && stride === 1
      const block: Block = {
        name: `layer${stage + 1}.${i}`,
        inputs,
        width,
        outputs,
        stride,
        bottleneck,
        shortcut: identical ? 'identity' : shortcut,
      }
      inputs = outputs
      return block
    }),
  )
}

const shapesOf = (config: Required<ResNetConfig>, blocks: readonly Block[], how: Implementation): ParameterShapes =>
  Object.assign(
    {},
    convShapes('conv1', config.inChannels, config.widths[0]!, { kernel: how.stem.kernel, bias: false }),
    normShapes('bn1', config.widths[0]!),
    ...blocks.map(block => blockShapes(block, how)),
    linearShapes(how.classifier, blocks.at(-1)!.outputs, config.classes),
  )

/**
 * Residual network (He et al. 2016): a convolution, stages of residual blocks of which all but the first halve the image,
 * the mean over positions, a linear map. x: [batch, inChannels, height, width], normalised as the checkpoint expects it.
 *
 * Three published implementations, each with the names of its state dict:
 * - 'heCifar': ResNet-20/32/44/56/110 for CIFAR with 16, 32, 64 channels and shortcuts without parameters (option A), as
 *   pytorch_resnet_cifar10 has them; with option B the 272,474 parameters of other ResNet-20.
 * - 'cifar': ResNet-18/34/50/101/152 with 64 to 512 channels and a 3x3 stem, as pytorch-cifar has them.
 * - 'imagenet': the same with a 7x7 stem of stride 2 and a 3x3 maximum, as torchvision has them (its v1.5 bottleneck).
 *
 * Throws Error on a depth that does not exist, ShapeError on sides not divisible by 4, 8 and 32 respectively.
 * Deviations: sides that do not divide, which the origins round, are refused; for ties in the maximum see `maxPool2d`.
 */
export const createResNet = (given: ResNetConfig): ResNet => {
  const config = completed(given)
  const how = IMPLEMENTATIONS[config.implementation]
  const input = { channels: config.inChannels, divisor: how.divisor }
  const blocks = blocksOf(config)
  const shapes = shapesOf(config, blocks, how)
  const buffers: ParameterShapes = Object.assign(
    {},
    runningShapes('bn1', config.widths[0]!),
    ...blocks.map(block => blockBuffers(block, how)),
  )

  const apply: ResNet['apply'] = (params, x, o = {}) => {
    checkImages('resNet', x, input)
    return tidy(() => {
      const pass = forwardPass(params, o)
      const stem = pass.batchNorm(pass.conv2d(x, 'conv1', { stride: how.stem.stride }), 'bn1', { relu: true })
      const first = how.stem.pooled ? maxPool2d(stem, { size: 3, stride: 2, padding: 1 }) : stem
      const features = blocks.reduce((h, block) => pass.block(() => residualBlock(h, block, how, pass)), first)
      return { logits: pass.linear(features.mean([2, 3]), how.classifier), runningStatistics: pass.runningStatistics }
    })
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
