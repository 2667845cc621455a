import { type Initialiser, normalWith } from '../../../core/nn/index.ts'

/** Which published code a ResNet follows; see `createResNet`. */
export type ResNetImplementation = 'heCifar' | 'cifar' | 'imagenet'

/** Between input and output of a block: the input itself, subsampled and padded with zero channels, or projected by a 1x1 convolution. */
export type Shortcut = 'A' | 'B'

/** How the published implementations differ. */
export interface Implementation {
  readonly name: ResNetImplementation
  /** Names of the 1x1 convolution and of the normalisation that form a projection. */
  readonly projection: readonly [conv: string, norm: string]
  readonly classifier: string
  /** First convolution; a 3x3 maximum with stride 2 follows the one of 'imagenet'. */
  readonly stem: { readonly kernel: number; readonly stride: number; readonly pooled: boolean }
  /** Channels of each stage, before the expansion of bottlenecks. */
  readonly widths: readonly number[]
  readonly defaultClasses: number
  /** Height and width must be divisible by this. */
  readonly divisor: number
  readonly initialiser: (name: string, shape: readonly number[]) => Initialiser | undefined
}

const isWeight = (name: string, rank: number, shape: readonly number[]): boolean => name.endsWith('.weight') && shape.length === rank

export const IMPLEMENTATIONS: Readonly<Record<ResNetImplementation, Implementation>> = {
  heCifar: {
    name: 'heCifar',
    projection: ['shortcut.0', 'shortcut.1'],
    classifier: 'linear',
    stem: { kernel: 3, stride: 1, pooled: false },
    widths: [16, 32, 64],
    defaultClasses: 10,
    divisor: 4,
    initialiser: (name, shape) => {
      if (isWeight(name, 4, shape)) return normalWith(Math.sqrt(2 / (shape[1]! * shape[2]! * shape[3]!)))
      return isWeight(name, 2, shape) ? normalWith(Math.sqrt(2 / shape[1]!)) : undefined
    },
  },
  cifar: {
    name: 'cifar',
    projection: ['shortcut.0', 'shortcut.1'],
    classifier: 'linear',
    stem: { kernel: 3, stride: 1, pooled: false },
    widths: [64, 128, 256, 512],
    defaultClasses: 10,
    divisor: 8,
    initialiser: () => undefined,
  },
  imagenet: {
    name: 'imagenet',
    projection: ['downsample.0', 'downsample.1'],
    classifier: 'fc',
    stem: { kernel: 7, stride: 2, pooled: true },
    widths: [64, 128, 256, 512],
    defaultClasses: 1000,
    divisor: 32,
    initialiser: (name, shape) => (isWeight(name, 4, shape) ? normalWith(Math.sqrt(2 / (shape[0]! * shape[2]! * shape[3]!))) : undefined),
  },
}

const STAGES: Readonly<Record<number, readonly number[]>> = {
  18: [2, 2, 2, 2],
  34: [3, 4, 6, 3],
  50: [3, 4, 6, 3],
  101: [3, 4, 23, 3],
  152: [3, 8, 36, 3],
}

/** Blocks of each stage, and whether they are bottlenecks (1x1, 3x3, 1x1) rather than pairs of 3x3 convolutions. */
export const depthPlan = (
  implementation: ResNetImplementation,
  depth: number,
): { readonly blocks: readonly number[]; readonly bottleneck: boolean } => {
  if (implementation === 'heCifar') {
    const perStage = (depth - 2) / 6
    if (!Number.isInteger(perStage) || perStage < 1)
      throw new Error(`resNet: depth of heCifar must be 6 n + 2, got ${depth}; use 20, 32, 44, 56, 110, ...`)
    return { blocks: [perStage, perStage, perStage], bottleneck: false }
  }
  const blocks = STAGES[depth]
  if (!blocks) throw new Error(`resNet: there is no ResNet-${depth} of ${implementation}; use ${Object.keys(STAGES).join(', ')}`)
  return { blocks, bottleneck: depth >= 50 }
}
